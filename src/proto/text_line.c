/* One line of output.  Everything that somebody else has chosen goes through
 * text_show(), so that nobody's terminal is steered and no line is forged.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/must.h"
#include "base/utf8.h"
#include "proto/charset.h"
#include "proto/text_private.h"

/* A line of PROTO_LINE_CAP bytes shown, three bytes for each, and what stands
 * before it. */
#define LINE_CAP (TEXT_LINE_UTF8 + 1024)

/* UTC, because members of a room sit in many places. */
static void
put_time(struct text_out *t)
{
	unsigned s = (unsigned)(t->time_ms / 1000 % 86400);

	buf_printf(&t->line, "%02u:%02u:%02u ", s / 3600, s / 60 % 60, s % 60);
}

void
text_out_begin(struct text_out *t, const struct event *e,
	const struct proto_options *o, uint32_t variant, struct buf *to)
{
	static char mem[LINE_CAP];

	*t = (struct text_out){ .options = o,
		.variant = variant,
		.time_ms = e->time_ms,
		.to = to,
		.line = buf_over(mem, sizeof mem) };
}

void
text_begin(struct text_out *t)
{
	t->line.len = 0;
	t->line.over = false;
	if (t->variant & TEXT_VARIANT_TIME)
		put_time(t);
}

void
text_raw(struct text_out *t, const char *s)
{
	buf_str(&t->line, s);
}

/* Marks that order text in the other direction let "evil<RLO>gpj.exe" read as
 * something else; what has no width hides in names and commands; tags and
 * interlinear annotation carry text that is not shown. */
static bool
is_hidden(uint32_t cp)
{
	switch (cp) {
	case 0x80 ... 0x9F:     /* C1: 0x9B is what ESC [ is in C0 */
	case 0x061C:            /* ALM */
	case 0x180E:            /* MVS */
	case 0x200B ... 0x200F: /* ZWSP, ZWNJ, ZWJ, LRM, RLM */
	case 0x2028 ... 0x202E: /* LS, PS, LRE to RLO */
	case 0x2060 ... 0x206F: /* WJ, invisible signs, LRI to PDI, old ones */
	case 0xFEFF:            /* ZWNBSP */
	case 0xFFF9 ... 0xFFFB: /* interlinear annotation */
	case 0xE0000 ... 0xE007F: /* tags */
		return true;
	default:
		return false;
	}
}

/* What stands for a character that must not reach a terminal; 0: itself. */
static uint32_t
stand_in(uint32_t cp)
{
	if (cp == '\t')
		return ' ';
	if (cp < 0x20)
		return 0x2400 + cp;
	if (cp == 0x7F)
		return 0x2421;
	if (cp == UTF8_INVALID || is_hidden(cp))
		return 0xFFFD;
	return 0;
}

static size_t
printable_run(struct slice s)
{
	size_t n = 0;

	while (n < s.len && s.p[n] >= 0x20 && s.p[n] < 0x7F)
		n++;
	return n;
}

/* The whole of s, or nothing of it: a character is not cut. */
static void
add_char(struct buf *b, struct slice s)
{
	if (s.len > buf_room(b))
		b->over = true;
	else if (!b->over)
		buf_slice_add(b, s);
}

void
text_show(struct text_out *t, struct slice s)
{
	while (s.len > 0) {
		size_t n = printable_run(s);
		struct slice shown = slice_of(s.p, n);
		char mem[4];

		if (n > 0) {
			buf_slice_add(&t->line, shown);
		} else {
			uint32_t cp, other;

			n = utf8_decode(s, &cp);
			other = stand_in(cp);
			shown = other ? slice_of(mem, utf8_encode(other, mem))
				      : slice_of(s.p, n);
			add_char(&t->line, shown);
		}
		s = slice_skip(s, n);
	}
}

void
text_fmt(struct text_out *t, const char *fmt, struct slice s, uint64_t n)
{
	for (const char *at; (at = strchr(fmt, '%')) != NULL; fmt = at + 2) {
		buf_add(&t->line, fmt, (size_t)(at - fmt));
		must(at[1] == 's' || at[1] == 'n');
		if (at[1] == 's')
			text_show(t, s);
		else
			buf_printf(&t->line, "%llu", (unsigned long long)n);
	}
	text_raw(t, fmt);
}

/* The newline always has its place: a cut line is still a line. */
void
text_end(struct text_out *t)
{
	const char *eol = t->variant & TEXT_VARIANT_CRLF ? "\r\n" : "\n";
	size_t eol_len = strlen(eol);
	struct buf body = *t->to;

	t->cut = t->cut || t->line.over;
	if (buf_room(&body) < eol_len) {
		t->cut = true;
		return;
	}
	body.cap -= eol_len;
	body.over = false;
	charset_encode(t->options->charset, buf_slice(&t->line), &body);
	t->cut = t->cut || body.over;
	t->to->len = body.len;
	buf_str(t->to, eol);
}
