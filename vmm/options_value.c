// SPDX-License-Identifier: GPL-2.0
/*
 * options_value.c - how one value of the command line is read.
 *
 * What is to be said about an option or a key is said by its table entry; the
 * functions here read values by it, set defaults, print the help and propose
 * names for misspelt ones. A wrong value costs one line on stderr that names it
 * and says what would have been right. Main thread.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "options_value.h"
#include "util.h"

/* Names proposed for a misspelt one: no table has more. */
#define NAMES_MAX	64

/**
 * option_find() - look a name up
 * @table: options or keys
 * @name:  not terminated
 * @len:   its length
 *
 * Return: the entry or NULL.
 */
const struct option_def *option_find(const struct option_def *table, const char *name, size_t len)
{
	for (; table->name; table++)
		if (strlen(table->name) == len && !memcmp(table->name, name, len))
			return table;
	return NULL;
}

/* Levenshtein distance; names are short, so two rows on the stack do. */
static unsigned int distance(const char *a, const char *b)
{
	unsigned int row[65], diag, up;
	size_t m = strlen(a), n = strlen(b);

	if (m > 64 || n > 64)
		return 64;
	for (size_t j = 0; j <= n; j++)
		row[j] = (unsigned int)j;
	for (size_t i = 1; i <= m; i++) {
		diag = row[0];
		row[0] = (unsigned int)i;
		for (size_t j = 1; j <= n; j++) {
			up = row[j];
			row[j] = diag + (a[i - 1] != b[j - 1]);
			if (row[j] > up + 1)
				row[j] = up + 1;
			if (row[j] > row[j - 1] + 1)
				row[j] = row[j - 1] + 1;
			diag = up;
		}
	}
	return row[n];
}

/* The one name that begins with @word, or NULL. */
static const char *only_beginning(const char *word, const char *const *names)
{
	const char *found = NULL;
	size_t len = strlen(word);

	if (len < 2)
		return NULL;
	for (; *names; names++) {
		if (strncmp(word, *names, len))
			continue;
		if (found)
			return NULL;
		found = *names;
	}
	return found;
}

/**
 * options_suggest() - guess what a misspelt word meant
 * @word:  as typed
 * @names: NULL-terminated list of right words
 *
 * A word that is the beginning of one name means that one: --mem is --memory,
 * though --net is closer.
 *
 * Return: the closest name, or NULL when none is near.
 */
const char *options_suggest(const char *word, const char *const *names)
{
	unsigned int best = (unsigned int)strlen(word) / 3 + 2;
	const char *found = only_beginning(word, names);

	if (found)
		return found;

	for (; *names; names++) {
		unsigned int d = distance(word, *names);

		if (d < best) {
			best = d;
			found = *names;
		}
	}
	return found;
}

/**
 * option_suggest() - guess which option or key a misspelt word meant
 * @table: options or keys
 * @word:  as typed
 *
 * Return: the closest name, or NULL when none is near.
 */
const char *option_suggest(const struct option_def *table, const char *word)
{
	const char *names[NAMES_MAX + 1];
	size_t n = 0;

	for (; table->name && n < NAMES_MAX; table++)
		if (table->kind != KIND_REMOVED)
			names[n++] = table->name;
	names[n] = NULL;
	return options_suggest(word, names);
}

static const char *size_text(char *buf, size_t len, uint64_t v)
{
	if (v >= GIB && !(v % GIB))
		snprintf(buf, len, "%lluG", (unsigned long long)(v / GIB));
	else if (v >= MIB && !(v % MIB))
		snprintf(buf, len, "%lluM", (unsigned long long)(v / MIB));
	else
		snprintf(buf, len, "%llu", (unsigned long long)v);
	return buf;
}

static int number(const char *s, char **end, uint64_t *v)
{
	if (!isdigit((unsigned char)*s))
		return -EINVAL;
	errno = 0;
	*v = strtoull(s, end, 10);
	return errno ? -ERANGE : 0;
}

static int parse_uint(const char *where, const struct option_def *def, unsigned int *to,
		      const char *value)
{
	uint64_t v;
	char *end;

	if (number(value, &end, &v) || *end || v < def->min || v > def->max) {
		log_error("%s%s: '%s' is not a number from %llu to %llu", where, def->name, value,
			  (unsigned long long)def->min, (unsigned long long)def->max);
		return -EINVAL;
	}
	*to = (unsigned int)v;
	return 0;
}

static int parse_size(const char *where, const struct option_def *def, uint64_t *to,
		      const char *value)
{
	static const char suffixes[] = "KMGT";
	uint64_t v, unit = def->unit;
	const char *suffix;
	char lo[32], hi[32];
	char *end;

	if (number(value, &end, &v))
		goto bad;
	if (*end) {
		suffix = strchr(suffixes, toupper((unsigned char)*end));
		if (!suffix || end[1])
			goto bad;
		unit = 1ULL << (10 * (suffix - suffixes + 1));
	}
	if (__builtin_mul_overflow(v, unit, &v) || v < def->min || v > def->max)
		goto bad;
	*to = v;
	return 0;
bad:
	log_error("%s%s: '%s' is not a size from %s to %s, such as 512M or 2G", where, def->name,
		  value, size_text(lo, sizeof(lo), def->min), size_text(hi, sizeof(hi), def->max));
	return -EINVAL;
}

static int parse_choice(const char *where, const struct option_def *def, unsigned int *to,
			const char *value)
{
	for (unsigned int i = 0; def->choices[i]; i++) {
		if (!strcmp(def->choices[i], value)) {
			*to = i;
			return 0;
		}
	}
	log_error("%s%s: '%s' is not one of %s", where, def->name, value, def->arg);
	return -EINVAL;
}

static int parse_bool(const char *where, const struct option_def *def, bool *to, const char *value)
{
	if (strcmp(value, "on") && strcmp(value, "off")) {
		log_error("%s%s: '%s' is neither on nor off", where, def->name, value);
		return -EINVAL;
	}
	*to = !strcmp(value, "on");
	return 0;
}

static int parse_string(const char *where, const struct option_def *def, const char **to,
			const char *value, bool is_default)
{
	if (!*value && !is_default) {
		log_error("%s%s: empty; it takes %s", where, def->name, def->arg);
		return -EINVAL;
	}
	if (def->max && strlen(value) > def->max) {
		log_error("%s%s: '%s' is longer than %llu bytes", where, def->name, value,
			  (unsigned long long)def->max);
		return -EINVAL;
	}
	*to = value;
	return 0;
}

static int parse_mac(const char *where, const struct option_def *def, uint8_t *to,
		     const char *value)
{
	unsigned int b[6];
	char end;

	if (sscanf(value, "%2x:%2x:%2x:%2x:%2x:%2x%c", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5],
		   &end) != 6 || strlen(value) != 17) {
		log_error("%s%s: '%s' is not an address such as 52:54:00:12:34:56", where,
			  def->name, value);
		return -EINVAL;
	}
	if (b[0] & 1 || !(b[0] | b[1] | b[2] | b[3] | b[4] | b[5])) {
		log_error("%s%s: '%s' is a group address or none; the first byte is even",
			  where, def->name, value);
		return -EINVAL;
	}
	for (unsigned int i = 0; i < 6; i++)
		to[i] = (uint8_t)b[i];
	return 0;
}

/**
 * option_value() - read one value
 * @where:      what the user typed before the name
 * @def:        the option or key, of none of the kinds of options.c
 * @base:       the structure it is stored in
 * @value:      as typed
 * @is_default: it is the table's own
 *
 * Return: 0, or -EINVAL after one line on stderr.
 */
int option_value(const char *where, const struct option_def *def, void *base, const char *value,
		 bool is_default)
{
	void *to = (char *)base + def->off;

	switch (def->kind) {
	case KIND_FLAG:
		*(bool *)to = true;
		return 0;
	case KIND_BOOL:
		return parse_bool(where, def, to, value);
	case KIND_STRING:
		return parse_string(where, def, to, value, is_default);
	case KIND_UINT:
		return parse_uint(where, def, to, value);
	case KIND_SIZE:
		return parse_size(where, def, to, value);
	case KIND_CHOICE:
		return parse_choice(where, def, to, value);
	case KIND_MAC:
		return parse_mac(where, def, to, value);
	default:
		return -EINVAL;
	}
}

/**
 * option_defaults() - store the defaults of a table
 * @where: what a user would type before the names
 * @table: options or keys, those with a default of the common kinds
 * @base:  the structure
 *
 * Return: 0, or -EINVAL after one line on stderr.
 */
int option_defaults(const char *where, const struct option_def *table, void *base)
{
	int err = 0;

	for (; !err && table->name; table++)
		if (table->def && table->kind < KIND_SERIAL)
			err = option_value(where, table, base, table->def, true);
	return err;
}

/**
 * option_key() - read one KEY=VALUE, or a flag
 * @keys: the keys there are
 * @base: the structure
 * @item: as typed; may be cut up
 * @seen: bits of the keys read so far, by their place in the table
 *
 * Return: 0, or -EINVAL after one line on stderr.
 */
int option_key(const struct option_keys *keys, void *base, char *item, unsigned int *seen)
{
	int len = (int)strlen(keys->where) - 1;
	const struct option_def *def;
	char *eq = strchr(item, '=');
	const char *hint;

	def = option_find(keys->table, item, eq ? (size_t)(eq - item) : strlen(item));
	if (!def && !eq) {
		log_error("%.*s: '%s' is not KEY=VALUE; did you mean '%s=%s'?", len, keys->where,
			  item, keys->bare, item);
		return -EINVAL;
	}
	if (!def) {
		if (eq)
			*eq = 0;
		hint = option_suggest(keys->table, item);
		log_error("%.*s: unknown key '%s'%s%s%s; `kvhost run --help` lists them", len,
			  keys->where, item, hint ? "; did you mean '" : "", hint ? hint : "",
			  hint ? "'?" : "");
		return -EINVAL;
	}
	if (def->kind == KIND_REMOVED) {
		log_error("%.*s: '%s' was removed, leave it out: %s", len, keys->where,
			  def->name, def->help);
		return -EINVAL;
	}
	if (eq && def->kind == KIND_FLAG) {
		log_error("%s%s: takes no value, but got '%s'", keys->where, def->name, eq + 1);
		return -EINVAL;
	}
	if (!eq && def->kind != KIND_FLAG) {
		log_error("%.*s: '%s' has no value; write %s=%s", len, keys->where, item,
			  def->name, def->arg);
		return -EINVAL;
	}
	if (*seen & 1U << (def - keys->table)) {
		log_error("%.*s: '%s' is given twice", len, keys->where, def->name);
		return -EINVAL;
	}
	*seen |= 1U << (def - keys->table);
	return option_value(keys->where, def, base, eq ? eq + 1 : "", false);
}

/**
 * option_seen() - was a key given
 * @keys: the keys there are
 * @name: one of them
 * @seen: filled in by option_key()
 *
 * Return: true if it was.
 */
bool option_seen(const struct option_keys *keys, const char *name, unsigned int seen)
{
	const struct option_def *def = option_find(keys->table, name, strlen(name));

	return def && seen & 1U << (def - keys->table);
}

/**
 * option_next_item() - cut the next item off at a comma
 * @rest: what is left; NULL afterwards at the end
 *
 * A doubled comma stands for itself.
 *
 * Return: the item.
 */
char *option_next_item(char **rest)
{
	char *item = *rest, *in = item, *out = item;

	while (*in) {
		if (*in == ',' && in[1] != ',')
			break;
		if (*in == ',')
			in++;
		*out++ = *in++;
	}
	*rest = *in ? in + 1 : NULL;
	*out = 0;
	return item;
}

/* Between what a value has to be; nothing where any will do. */
static void print_limits(FILE *out, const struct option_def *def)
{
	char lo[32], hi[32];

	if (def->kind == KIND_STRING && def->max)
		fprintf(out, ", at most %llu bytes", (unsigned long long)def->max);
	if (def->kind == KIND_UINT && def->max < INT32_MAX)
		fprintf(out, ", %llu to %llu", (unsigned long long)def->min,
			(unsigned long long)def->max);
	if (def->kind == KIND_SIZE && def->max < INT64_MAX)
		fprintf(out, ", %s to %s", size_text(lo, sizeof(lo), def->min),
			size_text(hi, sizeof(hi), def->max));
}

/**
 * option_help() - print a table
 * @out:     stream
 * @table:   options or keys
 * @dashes:  goes before each name
 * @between: goes between a name and its value
 */
void option_help(FILE *out, const struct option_def *table, const char *dashes,
		 const char *between)
{
	char head[64];

	for (; table->name; table++) {
		if (table->kind == KIND_REMOVED)
			continue;
		snprintf(head, sizeof(head), "%s%s%s%s", dashes, table->name,
			 table->arg ? between : "", table->arg ? table->arg : "");
		fprintf(out, "  %-32s %s", head, table->help);
		print_limits(out, table);
		if (table->def && *table->def)
			fprintf(out, " [%s]", table->def);
		fputc('\n', out);
	}
}
