/* What can be said about a modelled card, and traces of completions. */
#include "drivers/simnic_text.h"
#include "tests/component/drivers/card.h"

#include <unistd.h>

static char trace[64];

static void write_trace(const char *lines)
{
	FILE *to;
	int fd;

	strcpy(trace, "/tmp/headgate-trace-XXXXXX");
	fd = mkstemp(trace);
	to = fd >= 0 ? fdopen(fd, "w") : NULL;
	HG_CHECK(to != NULL);
	fputs(lines, to);
	HG_CHECK_EQ(fclose(to), 0);
}

/* "simnic(rate=1Gbit,trace=FILE...)" in a buffer that lives until the next call. */
static const char *with_trace(const char *more)
{
	static char device[192];

	snprintf(device, sizeof(device), "simnic(rate=1Gbit,trace=%s%s)+dummy:wire", trace, more);
	return device;
}

static void reads_all_that_there_is_to_say(void)
{
	struct hg_simnic_text text;

	HG_CHECK_EQ(hg_simnic_text_parse("simnic(rate=10Gbit,ring=512,queues=16,arbitrate=strict,"
					 "delay=1us,in=free,full=wait,complete=2us,jitter=3us,"
					 "batch=8,coalesce=20us,lose=17,seed=9,stall=1ms,every=2s)"
					 "+dummy:x",
					 &text, NULL),
		    -HG_EINVAL);
	HG_CHECK_EQ(hg_simnic_text_parse("simnic(rate=10Gbit,ring=512,queues=16,arbitrate=strict,"
					 "delay=1us,in=free,full=wait,complete=2us,jitter=3us,"
					 "batch=8,coalesce=20us,lose=17,seed=9,stall=1ms,every=1s)"
					 "+dummy:x",
					 &text, NULL),
		    0);
	HG_CHECK_EQ(text.bytes_per_s, 1250000000);
	HG_CHECK_EQ(text.ring_size, 512);
	HG_CHECK_EQ(text.n_queues, 16);
	HG_CHECK_EQ(text.arbitrate, HG_SIMNIC_STRICT);
	HG_CHECK_EQ(text.delay_ns, 1000);
	HG_CHECK_EQ(text.in, HG_SIMNIC_IN_FREE);
	HG_CHECK_EQ(text.full, HG_SIMNIC_FULL_WAIT);
	HG_CHECK_EQ(text.stall_ns, HG_NS_PER_MS);
	HG_CHECK_EQ(text.every_ns, HG_NS_PER_S);
	HG_CHECK(text.model.is_there && !text.model.is_never);
	HG_CHECK_EQ(text.model.complete_ns, 2000);
	HG_CHECK_EQ(text.model.jitter_ns, 3000);
	HG_CHECK_EQ(text.model.batch_pkts, 8);
	HG_CHECK_EQ(text.model.coalesce_ns, 20000);
	HG_CHECK_EQ(text.model.lose_ppm, 17);
	HG_CHECK_EQ(text.model.seed, 9);
	HG_CHECK_STR(text.inner, "dummy:x");
}

static void without_a_word_about_completions_there_is_no_model(void)
{
	struct hg_simnic_text text;

	HG_CHECK_EQ(hg_simnic_text_parse("simnic(rate=1Gbit)+dummy:x", &text, NULL), 0);
	HG_CHECK(!text.model.is_there);
	HG_CHECK_EQ(text.n_queues, 1);
	HG_CHECK_EQ(text.arbitrate, HG_SIMNIC_RR);
	HG_CHECK_EQ(hg_simnic_text_parse("simnic(rate=1Gbit,complete=0ns)+dummy:x", &text, NULL),
		    0);
	HG_CHECK(text.model.is_there);
	HG_CHECK_EQ(hg_simnic_text_parse("simnic(rate=1Gbit,batch=2)+dummy:x", &text, NULL), 0);
	HG_CHECK_EQ(text.model.coalesce_ns, 50 * US);
}

static void names_what_is_allowed(void)
{
	static const struct {
		const char *params, *part;
	} bad[] = {
		{"queues=0", "1 to 16"},
		{"queues=17", "1 to 16"},
		{"arbitrate=fair", "rr, strict"},
		{"complete=2s", "0ns to 1s"},
		{"complete=nevr", "a time in 0ns to 1s nor never"},
		{"jitter=1001ms", "0ns to 1s"},
		{"batch=0", "1 to 4096"},
		{"batch=4097", "1 to 4096"},
		{"batch=2,coalesce=2s", "0ns to 1s"},
		{"coalesce=5us", "batch=2"},
		{"lose=1000001", "0 to 1000000"},
		{"seed=x", "0 to 4294967295"},
		{"stall=1ms", "every=TIME"},
		{"every=1ms", "every=TIME"},
		{"stall=1ms,every=1ms", "not shorter"},
		{"stall=0ns,every=1ms", "1ns to 1s"},
		{"trace=a,complete=1us", "no complete and no jitter"},
		{"trace=a,jitter=1us", "no complete and no jitter"},
		{"rong=2", "rate, ring, queues, arbitrate"},
	};
	char device[128];

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct hg_error err = {0};

		snprintf(device, sizeof(device), "simnic(rate=1Gbit,%s)+dummy:x", bad[i].params);
		HG_CHECK_EQ(hg_dev_check(device, NULL, &err), -HG_EINVAL);
		HG_CHECK_HAS(err.text, bad[i].part);
	}
	HG_CHECK_EQ(hg_dev_check("simnic(rate=1Tbit,complete=1s)+dummy:x", NULL, NULL), -HG_EINVAL);
}

/* ---- traces ------------------------------------------------------------------------------------- */

static void s2_2_a_trace_says_when_and_begins_again(void)
{
	struct card card;

	write_trace("# completions of a card\n5us\n\n 12000 # in ns\n0ns\n");
	card_begin(&card, with_trace(""));
	HG_CHECK_EQ(card_send(&card, 0, 5), 5);
	card_check_releases(&card,
			    (struct card_release[]){
				    {15 * US, 1}, {32 * US, 2}, {45 * US, 1}, {62 * US, 1}, {0}});
	card_end(&card);
	unlink(trace);
}

static void check_refused(const char *lines, int code, const char *part)
{
	struct hg_dev_cfg cfg = {.netns = "", .mtu = 1500};
	struct hg_dev *dev = NULL;
	struct heap_pool heap;
	struct hg_error err = {0};

	heap_pool_init(&heap);
	cfg.pool = &heap.pool;
	if (lines != NULL)
		write_trace(lines);
	cfg.device = with_trace("");
	HG_CHECK_EQ(hg_dev_check(cfg.device, NULL, NULL), 0);
	HG_CHECK_EQ(hg_dev_open(&cfg, &dev, &err), code);
	HG_CHECK(dev == NULL);
	HG_CHECK_HAS(err.text, trace);
	HG_CHECK_HAS(err.text, part);
	unlink(trace);
}

static void a_trace_that_cannot_be_read_is_named_with_its_line(void)
{
	char line[160];

	check_refused("5us\nsoon\n", -HG_EINVAL, "line 2");
	check_refused("5us\n# x\n\n2s\n", -HG_EINVAL, "line 4");
	check_refused("1000000001\n", -HG_EINVAL, "line 1");
	check_refused("99999999999999999999999999\n", -HG_EINVAL, "line 1");
	check_refused("-5\n", -HG_EINVAL, "line 1");
	check_refused("# nothing\n", -HG_EINVAL, "no delays");
	check_refused("", -HG_EINVAL, "no delays");
	memset(line, ' ', sizeof(line));
	line[sizeof(line) - 1] = '\0';
	check_refused(line, -HG_EINVAL, "line 1");
	strcpy(trace, "/nowhere/at-all");
	check_refused(NULL, -HG_ENOENT, "cannot open");
	strcpy(trace, "/tmp");
	check_refused(NULL, -HG_EIO, "cannot read");
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(reads_all_that_there_is_to_say),
		HG_TEST(without_a_word_about_completions_there_is_no_model),
		HG_TEST(names_what_is_allowed),
		HG_TEST(s2_2_a_trace_says_when_and_begins_again),
		HG_TEST(a_trace_that_cannot_be_read_is_named_with_its_line),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
