/* SPDX-License-Identifier: MIT
 *
 * libconfuse 3.3 silently accepts a comment or a section that is never closed,
 * cuts strings at a NUL, eats an unquoted '*', expands ${X} from the
 * environment, takes "a|b" for a path through sections, and counts lines
 * wrongly once there is a comment.  All of that is refused or mended here,
 * before it sees the text.
 */
#include "conf/private.h"

#include <errno.h>
#include <string.h>

#define DEPTH_MAX  8
#define WORD_ENDS  " #\"'\t\n\r={}()+,*" /* as libconfuse's own rule */
#define QUOTE_THIS "expected a value with it in double quotes"

static int refuse(struct conf_lex *lex, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int
refuse(struct conf_lex *lex, int line, const char *fmt, ...)
{
	va_list ap;

	lex->bad_line = line;
	va_start(ap, fmt);
	(void)vsnprintf(lex->bad, sizeof(lex->bad), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

void
conf_lex_init(struct conf_lex *lex, char *text, size_t len)
{
	*lex = (struct conf_lex){ .p = text, .end = text + len, .line = 1 };
}

static bool
at(const struct conf_lex *lex, const char *what)
{
	size_t n = strlen(what);

	return (size_t)(lex->end - lex->p) >= n && !memcmp(lex->p, what, n);
}

static void
blank_line(struct conf_lex *lex)
{
	while (lex->p < lex->end && *lex->p != '\n')
		*lex->p++ = ' ';
}

static int
blank_comment(struct conf_lex *lex)
{
	int start = lex->line;
	char *from = lex->p;

	for (lex->p += 2; !at(lex, "*/"); lex->p++) {
		if (lex->p >= lex->end)
			return refuse(lex, start,
				"comment is not closed; expected '*/'");
		if (*lex->p == '\n')
			lex->line++;
	}
	lex->p += 2;
	for (; from < lex->p; from++)
		if (*from != '\n')
			*from = ' ';
	return 0;
}

static int
skip_space(struct conf_lex *lex)
{
	int rc = 0;

	while (rc == 0 && lex->p < lex->end) {
		if (*lex->p == '#' || at(lex, "//")) {
			blank_line(lex);
		} else if (at(lex, "/*")) {
			rc = blank_comment(lex);
		} else if (strchr(" \t\r\n", *lex->p)) {
			lex->line += *lex->p == '\n';
			lex->p++;
		} else {
			break;
		}
	}
	return rc;
}

/* Is the escape at p (behind the backslash) a NUL?  libconfuse would cut the
 * string there. */
static bool
escapes_nul(const char *p, const char *end)
{
	const char *digits = "01234567";
	size_t most = 3, n = 0;

	if (p < end && *p == 'x') {
		digits = "0123456789abcdefABCDEF";
		most = 2;
		p++;
	}
	for (; n < most && p + n < end && p[n] && strchr(digits, p[n]); n++)
		if (p[n] != '0')
			return false;
	return n > 0;
}

static int
take_string(struct conf_lex *lex)
{
	char quote = *lex->p, *q = lex->p + 1;

	for (;; q++) {
		if (q >= lex->end || *q == '\n')
			return refuse(lex, lex->line,
				"string is not closed on its line; expected %c",
				quote);
		if (*q == quote)
			break;
		if (quote == '"' && *q == '$' && q + 1 < lex->end &&
			q[1] == '{')
			return refuse(lex, lex->line,
				"'${' is not supported; expected the value "
				"itself, or '\\x24{' for these characters");
		if (*q != '\\' || q + 1 >= lex->end || q[1] == '\n')
			continue;
		if (quote == '"' && escapes_nul(q + 1, lex->end))
			return refuse(lex, lex->line,
				"string has a NUL character; expected text");
		q++;
	}
	lex->tok = CONF_TOK_STRING;
	lex->text = slice_of(lex->p + 1, (size_t)(q - lex->p - 1));
	lex->p = q + 1;
	return 0;
}

/* What editors for prose put in the place of a quotation mark or a space: it
 * looks right, and would be part of the value. */
static const struct {
	const char *utf8, *name, *expect;
	bool anywhere; /* else an apostrophe within a word is meant */
} prose[] = {
	{ "\xe2\x80\x9c", "quotation mark U+201C", "the plain \"", false },
	{ "\xe2\x80\x9d", "quotation mark U+201D", "the plain \"", false },
	{ "\xe2\x80\x9e", "quotation mark U+201E", "the plain \"", false },
	{ "\xe2\x80\x98", "quotation mark U+2018", "the plain \"", false },
	{ "\xe2\x80\x99", "quotation mark U+2019", "the plain \"", false },
	{ "\xc2\xab", "quotation mark U+00AB", "the plain \"", false },
	{ "\xc2\xbb", "quotation mark U+00BB", "the plain \"", false },
	{ "\xc2\xa0", "no-break space U+00A0", "a plain space", true },
	{ "\xe2\x80\x8b", "invisible space U+200B", "none", true },
};

static int
check_prose(struct conf_lex *lex)
{
	for (size_t i = 0; i < sizeof(prose) / sizeof(*prose); i++) {
		const char *at = memmem(lex->text.p, lex->text.len,
			prose[i].utf8, strlen(prose[i].utf8));

		if (at && (at == lex->text.p || prose[i].anywhere))
			return refuse(lex, lex->line,
				"%s, which word processors write; expected %s",
				prose[i].name, prose[i].expect);
	}
	return 0;
}

static int
take_word(struct conf_lex *lex)
{
	char *q = lex->p;

	for (; q < lex->end && !strchr(WORD_ENDS, *q); q++) {
		if (*q == ';')
			return refuse(lex, lex->line,
				"stray ';'; expected the end of the line, or a "
				"value with it in double quotes");
		if (*q == '|')
			return refuse(lex, lex->line, "stray '|'; " QUOTE_THIS);
		if (*q == '$' && q + 1 < lex->end && q[1] == '{')
			return refuse(lex, lex->line,
				"'${' is not supported; expected the value itself");
	}
	lex->tok = CONF_TOK_WORD;
	lex->text = slice_of(lex->p, (size_t)(q - lex->p));
	if (slice_eq_str(lex->text, "include") && q < lex->end && *q == '(')
		return refuse(lex, lex->line,
			"there is no include(); expected the file in conf.d");
	lex->p = q;
	return check_prose(lex);
}

int
conf_lex_next(struct conf_lex *lex)
{
	int rc = skip_space(lex);

	if (rc < 0)
		return rc;
	lex->tok_line = lex->line;
	lex->text = slice_of(lex->p, 0);
	lex->punct = 0;
	if (lex->p >= lex->end) {
		lex->tok = CONF_TOK_END;
		return 0;
	}
	if (*lex->p == '"' || *lex->p == '\'')
		return take_string(lex);
	if (strchr("*+()", *lex->p))
		return refuse(
			lex, lex->line, "stray '%c'; " QUOTE_THIS, *lex->p);
	if (!strchr("={},", *lex->p))
		return take_word(lex);
	lex->tok = CONF_TOK_PUNCT;
	lex->text = slice_of(lex->p, 1);
	lex->punct = *lex->p++;
	return 0;
}

static int
check_bytes(struct conf_lex *lex)
{
	int line = 1;

	if (at(lex, "\xef\xbb\xbf"))
		return refuse(lex, 1,
			"the file begins with a byte order mark; "
			"expected UTF-8 without one");
	if (at(lex, "\xff\xfe") || at(lex, "\xfe\xff"))
		return refuse(lex, 1, "the file is UTF-16; expected UTF-8");
	for (const char *q = lex->p; q < lex->end; q++) {
		unsigned char c = (unsigned char)*q;

		if (c == '\n')
			line++;
		else if (c == 0)
			return refuse(lex, line, "NUL byte; expected text");
		else if (c == 0x7f || (c < 0x20 && c != '\t' && c != '\r'))
			return refuse(lex, line,
				"control character 0x%02x; expected text", c);
	}
	return 0;
}

int
conf_lex_check(struct conf_lex *lex)
{
	struct conf_lex start = *lex;
	int depth = 0, opened[DEPTH_MAX];
	int rc = check_bytes(lex);

	while (rc == 0 && (rc = conf_lex_next(lex)) == 0 &&
		lex->tok != CONF_TOK_END) {
		if (lex->punct == '{' && depth == DEPTH_MAX)
			return refuse(lex, lex->tok_line,
				"sections are nested too deeply; expected at "
				"most %d",
				DEPTH_MAX);
		if (lex->punct == '}' && depth == 0)
			return refuse(lex, lex->tok_line,
				"brace '}' without a '{' before it; expected a key "
				"or a section");
		if (lex->punct == '{')
			opened[depth++] = lex->tok_line;
		else if (lex->punct == '}')
			depth--;
	}
	if (rc == 0 && depth > 0)
		return refuse(lex, opened[depth - 1],
			"brace '{' is never closed; expected '}'");
	if (rc == 0)
		*lex = start;
	return rc;
}
