/* compiler: the few compiler attributes that the project uses, under one name each.
 *
 * Why        core/ is ISO C17; what goes beyond it is spelled here and nowhere else.
 * Used by    everything.
 */
#ifndef HG_CORE_COMPILER_H
#define HG_CORE_COMPILER_H

#include <stdint.h>

#if defined(__GNUC__)
#define HG_MUST_CHECK __attribute__((warn_unused_result))
#define HG_LIKELY(x) __builtin_expect(!!(x), 1)
#define HG_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define HG_PREFETCH(p) __builtin_prefetch((p), 1, 3)
/* As the one who will write it: a line that another processor wrote last is then fetched once, not once to be read and
 * again to be owned. x86-64 has an instruction for it, which processors without it take for none; compilers leave it
 * out for the baseline of that architecture. */
#if defined(__x86_64__)
#define HG_PREFETCH_TO_WRITE(p) __asm__ volatile("prefetchw %0" : : "m"(*(const char *)(p)))
#else
#define HG_PREFETCH_TO_WRITE(p) __builtin_prefetch((p), 1, 3)
#endif
#define HG_PREFETCH_TO_READ(p) __builtin_prefetch((p), 0, 3)
#define HG_UNUSED __attribute__((unused))
#define HG_NOINLINE __attribute__((noinline))
#define HG_ALWAYS_INLINE inline __attribute__((always_inline))
/* A function on a stack that a sanitizer does not know. */
#define HG_UNSANITIZED __attribute__((no_sanitize("address"), no_sanitize("thread")))
#else
#define HG_MUST_CHECK
#define HG_LIKELY(x) (x)
#define HG_UNLIKELY(x) (x)
#define HG_PREFETCH(p) ((void)(p))
#define HG_PREFETCH_TO_WRITE(p) ((void)(p))
#define HG_PREFETCH_TO_READ(p) ((void)(p))
#define HG_UNUSED
#define HG_NOINLINE
#define HG_ALWAYS_INLINE inline
#define HG_UNSANITIZED
#endif

/* Memory that goes from one thread to another by means that ThreadSanitizer cannot follow: said of the place that it goes
 * by, before it is handed on and after it was taken over. Nothing in any other build. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HG_IS_THREAD_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_THREAD__) || defined(HG_IS_THREAD_SANITIZED)
void __tsan_release(void *place);
void __tsan_acquire(void *place);
#define HG_HANDS_ON(place) __tsan_release(place)
#define HG_TAKES_OVER(place) __tsan_acquire(place)
#else
#define HG_HANDS_ON(place) ((void)(place))
#define HG_TAKES_OVER(place) ((void)(place))
#endif

/* The place of the highest bit set, in [0, 63]. value must not be 0. */
static HG_ALWAYS_INLINE unsigned hg_log2_u64(uint64_t value)
{
#if defined(__GNUC__)
	return 63u - (unsigned)__builtin_clzll(value);
#else
	unsigned place = 0;

	while (value >>= 1)
		place++;
	return place;
#endif
}

/* Size of the unit that two processors pass between them. 64 on every x86-64 and most Arm. */
#define HG_CACHE_LINE_BYTES 64

#endif
