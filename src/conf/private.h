/* private.h - what the files of this folder share.
 *
 * One table of keys drives everything: what libconfuse is told, how a text
 * becomes a value and a value a text, the defaults, -T, the differences of a
 * reload, and the check of the manual.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_CONF_PRIVATE_H
#define BANTER_CONF_PRIVATE_H

#include "base/buf.h"
#include "conf/conf.h"

#include <netinet/in.h>

#define CONF_FILE_MAX  (1 << 20) /* bytes of one file */
#define CONF_FILES_MAX 256       /* the file and those of its conf.d */
#define CONF_ROWS_MAX  64        /* keys in the table */
#define CONF_ROOM_EXPECT                                                 \
 "1 to 32 bytes of letters, digits and '_-.[]{}^|', not beginning with " \
 "a digit or '-', and not private, server or guest with a number"

enum conf_type {
	CONF_TYPE_BOOL,
	CONF_TYPE_NUMBER,
	CONF_TYPE_DURATION, /* counted in ms in the table */
	CONF_TYPE_SIZE,
	CONF_TYPE_CHOICE, /* one of words, stored as its place among them */
	CONF_TYPE_WORD,   /* one of words, stored as text */
	CONF_TYPE_TEXT,
	CONF_TYPE_ADDRESSES,
	CONF_TYPE_NETS
};

enum conf_kind {
	CONF_KIND_TOP,
	CONF_KIND_LISTEN,
	CONF_KIND_ROOM,
	CONF_KIND_LIMITS,
	CONF_KIND_KEEPALIVE,
	CONF_KIND_LOG,
	CONF_KINDS
};

/* A section as it can stand in a file. */
struct conf_section {
	const char *name;
	bool titled;
	unsigned most; /* how many a configuration may have */
};
extern const struct conf_section conf_sections[CONF_KINDS];

struct conf_row {
	enum conf_kind kind;
	const char *name;
	enum conf_type type;
	size_t offset, width; /* in conf_object() */
	uint64_t unit;        /* ms of one count of a duration's field */
	uint64_t min, max;
	bool zero;         /* 0 is allowed too: no limit */
	const char *def;   /* lists: elements separated by spaces */
	const char *words; /* separated by spaces */
	bool (*check)(const char *text);
	const char *expect; /* what check() wants, for people */
	bool restart;       /* a reload does not apply it */
	const char *help;
};

/* The table, in the order of the manual. */
const struct conf_row *conf_key_rows(size_t *ret_n);
/* NULL: there is no such key in sections of that kind. */
const struct conf_row *conf_key_find(enum conf_kind kind, struct slice name);
/* A key of an earlier release, which is known for two more: a file that has it
 * is good, and a warning says what to write instead. */
struct conf_old_key {
	enum conf_kind kind;
	const char *was;
	const char *now;   /* NULL: it has no effect any more */
	const char *since; /* the release in which it changed */
};
#define CONF_OLD_MAX 16
const struct conf_old_key *conf_key_old_rows(size_t *ret_n);
/* NULL: there was no such key in sections of that kind. */
const struct conf_old_key *conf_key_find_old(
	enum conf_kind kind, struct slice name);

/* The section of that name; CONF_KINDS: none. */
enum conf_kind conf_key_section(struct slice name);
/* The key or section that name was most likely meant to be, or NULL. */
const char *conf_key_nearest(enum conf_kind kind, struct slice name);
/* The struct that a row's offset counts from: conf itself, or its i-th listener
 * or room. */
void *conf_object(struct conf *conf, enum conf_kind kind, unsigned i);
/* "limits.rate", "listen text.port": the name in messages. */
void conf_key_label(
	const struct conf_row *row, const char *title, struct buf *b);
/* Give all keys of a kind their defaults. */
void conf_key_defaults(enum conf_kind kind, void *object);

/* Read n texts (one unless the key is a list) into the object.  0, or -EINVAL
 * with "what was wrong; what is expected" in why. */
int conf_value_set(const struct conf_row *row, void *object,
	const char *const *texts, size_t n, struct buf *why);
/* The value as it would be written in a file. */
void conf_value_print(
	const struct conf_row *row, const void *object, struct buf *b);
bool conf_value_same(const struct conf_row *row, const void *a, const void *b);
void conf_value_range(const struct conf_row *row, struct buf *b);
/* A text as a quoted string of the file's syntax. */
void conf_value_quote(const char *text, struct buf *b);

/* "10s" as ms, "32M" as bytes, "7788".  0, -EINVAL or -ERANGE. */
int conf_number_parse(enum conf_type type, const char *text, uint64_t *ret);
void conf_number_print(enum conf_type type, uint64_t v, struct buf *b);

/* How many bytes at the start of p are whole, valid UTF-8 (RFC 3629). */
size_t conf_text_valid(const char *p, size_t len);
/* Valid UTF-8 without control characters. */
bool conf_text_plain(const char *text);
bool conf_text_name(const char *text);    /* plain, 1 byte or more */
bool conf_text_path(const char *text);    /* absolute */
bool conf_text_no_path(const char *text); /* or "" */
bool conf_text_run_dir(const char *text); /* has room for socket names */
bool conf_text_user(const char *text);
bool conf_text_no_user(const char *text);
bool conf_text_mode(const char *text);  /* octal, of a socket */
bool conf_text_label(const char *text); /* the name of a listener */
/* As for /join; CONF_ROOM_EXPECT is its rule for people. */
bool conf_text_room(const char *text);
bool conf_text_no_room(const char *text);
bool conf_text_charset(const char *text); /* known and without shift state */

/* "*", an IP address, or an absolute path? */
bool conf_net_address(const char *text);
/* Would both want the same socket?  Ports are compared by the caller. */
bool conf_net_clash(const char *a, const char *b);

/* Where a value came from; line 0: the default. */
struct conf_origin {
	unsigned file; /* index into files */
	int line;
};

/* A configuration while it is being read. */
struct conf_build {
	struct conf *conf;
	struct conf_report *report;
	char *files[CONF_FILES_MAX];
	unsigned n_files;
	struct conf_origin top[CONF_ROWS_MAX]; /* all but titled sections */
	struct conf_origin listen[CONF_LISTENERS][CONF_ROWS_MAX];
	struct conf_origin room[CONF_ROOMS][CONF_ROWS_MAX];
	struct conf_origin listen_at[CONF_LISTENERS], room_at[CONF_ROOMS];
};

/* Read path and its conf.d.  *ret is to be freed either way.  0 or -EINVAL. */
int conf_build_new(const char *path, struct conf *conf,
	struct conf_report *report, struct conf_build **ret);
void conf_build_free(struct conf_build **build);
struct conf_origin *conf_build_origin(
	struct conf_build *b, const struct conf_row *row, unsigned i);

/* One complaint, at a place that the build knows. */
void conf_build_error(struct conf_build *b, struct conf_origin at,
	const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void conf_build_warn(struct conf_build *b, struct conf_origin at,
	const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* line 0: the file as a whole. */
void conf_report_error(struct conf_report *r, const char *file, int line,
	const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void conf_report_add(struct conf_report *r, bool error, const char *file,
	int line, struct slice text);

/* Paths to read: path, then conf.d beside it in byte order.  The count; what is
 * wrong with conf.d goes to the report.  Each is to be freed. */
unsigned conf_files_list(const char *path, char *files[CONF_FILES_MAX],
	struct conf_report *report);
/* The conf.d that belongs to path. */
void conf_files_folder(const char *path, struct buf *b);
/* A regular file of at most max bytes, NUL behind it; longer ones are cut when
 * ret_cut is given, else -EFBIG.  free() it.  0 or -errno. */
int conf_files_slurp(const char *path, size_t max, char **ret, size_t *ret_len,
	bool *ret_cut);
/* What an errno of the above means, for people. */
const char *conf_files_expect(int err);

/* The sealed memfd that conf_map() maps, or -errno. */
int conf_map_seal(const struct conf *conf);

/* What is between values: checks that need more than one key, the motd. */
void conf_check(struct conf_build *b);

/* ---- one file ---- */

enum conf_tok {
	CONF_TOK_END,
	CONF_TOK_WORD,
	CONF_TOK_STRING,
	CONF_TOK_PUNCT
};

struct conf_lex {
	char *p, *end;
	int line; /* of p */
	/* of the latest token: */
	enum conf_tok tok;
	char punct;
	struct slice text;
	int tok_line;
	/* why conf_lex_next() failed, and where */
	int bad_line;
	char bad[128];
};

void conf_lex_init(struct conf_lex *lex, char *text, size_t len);
/* Step to the next token, blanking comments on the way so that libconfuse's
 * line numbers are right.  0 or -EINVAL with bad and bad_line. */
int conf_lex_next(struct conf_lex *lex);
/* Go through all of the text, braces included, and start again. */
int conf_lex_check(struct conf_lex *lex);

struct conf_outline_section {
	enum conf_kind kind;
	unsigned nth;       /* among its kind in this file */
	struct slice title; /* as written, without quotes */
	int line;
};

struct conf_outline_key {
	const struct conf_row *row;
	const char *written; /* the key's name in the file */
	unsigned section;    /* index; 0 is the file outside of sections */
	int line;
};

/* The sections and keys of a file with their lines, which libconfuse forgets.
 */
struct conf_outline {
	struct conf_outline_section *sections;
	struct conf_outline_key *keys;
	size_t n_sections, n_keys;
	int last_line; /* of the last token */
	int end_line;  /* where it ended before the text did; 0: it did not */
};

/* Walk the checked text; unknown keys and keys that are there twice go to the
 * report.  Where it has no structure the outline ends: libconfuse complains. */
void conf_outline_init(struct conf_outline *o, struct conf_lex *lex,
	const char *file, struct conf_report *report);
void conf_outline_fini(struct conf_outline *o);

/* Complain about a name that is no key (or section) there. */
void conf_outline_unknown(struct conf_report *r, const char *file, int line,
	enum conf_kind kind, struct slice name, bool section);

/* Read one file into the build. */
void conf_parse_file(struct conf_build *b, unsigned file);

#endif
