/* fuzz: what a fuzz target offers to libFuzzer, and to the plain run over its corpus.
 *
 * Why        A crash once found stays found: the same function runs over the corpus in every test run,
 *            with no engine and any compiler.
 * Promise    Takes any bytes; aborts when a property is broken; keeps nothing between calls.
 */
#ifndef HG_TESTS_FUZZ_FUZZ_H
#define HG_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
