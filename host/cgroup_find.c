/* Which folder a name means. */
#include "host/cgroup_impl.h"

#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Slices in slices, scopes in them, and what runs in a scope. */
#define DEPTH_MAX 8
/* An id may be shortened, as container tools show it, but not to nothing. */
#define ID_BYTES_MIN 12u
/* A hyphen in a name, as systemd writes it into the names of units. */
#define HYPHEN "\\x2d"

static bool ends_in(const char *text, const char *end)
{
	size_t n = strlen(text), n_end = strlen(end);

	return n >= n_end && strcmp(text + n - n_end, end) == 0;
}

static bool is_unit(const char *folder, const char *name)
{
	size_t n = strlen(name);

	if (strcmp(folder, name) == 0)
		return true;
	return strncmp(folder, name, n) == 0 && strcmp(folder + n, ".service") == 0;
}

/* Whether `folder` goes on with name, hyphens escaped if so asked, and then with end. */
static bool goes_on(const char *folder, const char *name, const char *hyphen, const char *end)
{
	for (; *name != '\0'; name++) {
		const char one[2] = {*name, '\0'};
		const char *want = *name == '-' ? hyphen : one;

		if (strncmp(folder, want, strlen(want)) != 0)
			return false;
		folder += strlen(want);
	}
	return strcmp(folder, end) == 0;
}

/* Behind a number and what follows it; NULL if there is none. */
static const char *behind_number(const char *text, const char *then)
{
	size_t n = strspn(text, "0123456789");

	if (n == 0 || strncmp(text + n, then, strlen(then)) != 0)
		return NULL;
	return text + n + strlen(then);
}

/* machine-qemu\x2d3\x2dweb.scope (systemd), qemu-3-web.libvirt-qemu or web.libvirt-qemu (libvirt alone). */
static bool is_domain(const char *folder, const char *name)
{
	static const char scope[] = "machine-qemu" HYPHEN, plain[] = "qemu-";
	const char *rest;

	if (strncmp(folder, scope, sizeof(scope) - 1u) == 0) {
		rest = behind_number(folder + sizeof(scope) - 1u, HYPHEN);
		return rest != NULL && goes_on(rest, name, HYPHEN, ".scope");
	}
	if (strncmp(folder, plain, sizeof(plain) - 1u) == 0) {
		rest = behind_number(folder + sizeof(plain) - 1u, "-");
		if (rest != NULL && goes_on(rest, name, "-", ".libvirt-qemu"))
			return true;
	}
	return goes_on(folder, name, "-", ".libvirt-qemu");
}

/* ID, or TOOL-ID.scope; the id may be shortened. */
static bool is_container(const char *folder, const char *id)
{
	const char *last = strrchr(folder, '-');

	if (strncmp(folder, id, strlen(id)) == 0)
		return true;
	return last != NULL && ends_in(folder, ".scope") && strncmp(last + 1, id, strlen(id)) == 0;
}

struct kind {
	const char *prefix;
	bool (*is)(const char *folder, const char *name);
	const char *what;
};

static const struct kind kinds[] = {
	{"unit:", is_unit, "systemd unit"},
	{"libvirt:", is_domain, "libvirt domain"},
	{"container:", is_container, "container"},
};

/* Looks through all folders for the one that fits. */
static int search(const struct hg_cgroups *groups, const struct kind *kind, const char *name,
		  char ret_path[HG_CGROUP_PATH_BYTES], struct hg_error *reterr)
{
	char root[HG_CGROUP_PATH_BYTES];
	char *const roots[] = {root, NULL};
	size_t n_root = strlen(groups->cpu_root);
	unsigned n_found = 0;
	int rc = 0;
	FTS *walk;

	memcpy(root, groups->cpu_root, n_root + 1u);
	walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	if (walk == NULL)
		return hg_error_set(reterr, -HG_ENOMEM, "cannot look through ", root, NULL);
	for (FTSENT *e; (e = fts_read(walk)) != NULL;) {
		if (e->fts_info != FTS_D || e->fts_level == 0)
			continue;
		if (e->fts_level >= DEPTH_MAX)
			fts_set(walk, e, FTS_SKIP);
		if (!kind->is(e->fts_name, name))
			continue;
		fts_set(walk, e, FTS_SKIP); /* what lies in it is part of it */
		if (n_found++ == 0) {
			snprintf(ret_path, HG_CGROUP_PATH_BYTES, "%s", e->fts_path + n_root + 1);
			continue;
		}
		rc = hg_error_set(reterr, -HG_EEXIST, "more than one control group is ", kind->what,
				  " ", name, ": ", ret_path, " and ", e->fts_path + n_root + 1,
				  NULL);
		break;
	}
	fts_close(walk);
	if (n_found > 0)
		return rc;
	return hg_error_set(reterr, -HG_ENOENT, "no control group of ", kind->what, " ", name,
			    " below ", groups->cpu_root, "; is it running?", NULL);
}

/* A plain path: says how far it leads. */
static int follow(const struct hg_cgroups *groups, const char *name,
		  char ret_path[HG_CGROUP_PATH_BYTES], struct hg_error *reterr)
{
	char full[2 * HG_CGROUP_PATH_BYTES];
	struct stat st;
	size_t n_root = strlen(groups->cpu_root);
	int rc;

	snprintf(full, sizeof(full), "%s/%s", groups->cpu_root, name);
	if (stat(full, &st) == 0 && S_ISDIR(st.st_mode)) {
		snprintf(ret_path, HG_CGROUP_PATH_BYTES, "%s", name);
		return 0;
	}
	while (strlen(full) > n_root && stat(full, &st) < 0)
		*strrchr(full, '/') = '\0';
	rc = hg_error_set(reterr, -HG_ENOENT, "no control group ", name, " below ",
			  groups->cpu_root, "; what is there of it: ",
			  strlen(full) > n_root ? full + n_root + 1 : "nothing", NULL);
	return rc;
}

static bool climbs_out(const char *path)
{
	return strcmp(path, "..") == 0 || strncmp(path, "../", 3) == 0 ||
	       strstr(path, "/../") != NULL || ends_in(path, "/..");
}

int hg_cgroup_find(const struct hg_cgroups *groups, const char *name,
		   char ret_path[HG_CGROUP_PATH_BYTES], struct hg_error *reterr)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t n = strlen(kinds[i].prefix);

		if (strncmp(name, kinds[i].prefix, n) != 0)
			continue;
		if (kinds[i].is == is_container && strlen(name + n) < ID_BYTES_MIN)
			return hg_error_set(reterr, -HG_EINVAL, "the container id ", name + n,
					    " is too short; allowed is 12 letters or more", NULL);
		if (name[n] == '\0' || strchr(name, '/') != NULL)
			return hg_error_set(reterr, -HG_EINVAL, name,
					    " names nothing; allowed is PATH, unit:NAME, "
					    "libvirt:NAME, container:ID",
					    NULL);
		return search(groups, &kinds[i], name + n, ret_path, reterr);
	}
	while (*name == '/')
		name++;
	if (*name == '\0' || strlen(name) >= HG_CGROUP_PATH_BYTES || climbs_out(name))
		return hg_error_set(
			reterr, -HG_EINVAL, "\"", name,
			"\" is no control group that may be governed; allowed is a path "
			"below the root of the hierarchy, unit:NAME, libvirt:NAME, "
			"container:ID",
			NULL);
	return follow(groups, name, ret_path, reterr);
}
