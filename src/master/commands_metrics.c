/* SPDX-License-Identifier: MIT */
#include "master/commands_private.h"
#include "master/control.h"
#include "master/figures.h"

#include <inttypes.h>

static void
metric_head(struct control_request *r, const struct figure *f)
{
	control_row(r);
	control_printf(r, "# TYPE banter_%s %s", f->name,
		f->counter ? "counter" : "gauge");
	control_row_end(r);
	control_row(r);
	control_printf(r, "# HELP banter_%s %s.", f->name, f->help);
	control_row_end(r);
}

static void
metric_slot(struct control_request *r, const struct figure *f, unsigned slot,
	uint64_t value)
{
	control_row(r);
	control_printf(r, "banter_%s%s{slot=\"%u\"} %" PRIu64, f->name,
		f->counter ? "_total" : "", slot, value);
	control_row_end(r);
}

static void
metrics_of_daemon(struct commands *c, struct control_request *r)
{
	uint64_t value[FIGURES_MAX];
	unsigned i, n = figures_of_daemon(c->master, value);

	for (i = 0; i < n; i++) {
		const struct figure *f = &figures_daemon[i];

		metric_head(r, f);
		control_row(r);
		control_printf(r, "banter_%s%s %" PRIu64, f->name,
			f->counter ? "_total" : "", value[i]);
		control_row_end(r);
	}
}

/* OpenMetrics wants all samples of a metric together. */
static void
metrics_of_slots(struct control_request *r, const struct figures_table *t)
{
	unsigned i, at;

	for (i = 0; figures_slot[i].name; i++) {
		metric_head(r, &figures_slot[i]);
		for (at = 0; at < t->n_slots; at++)
			metric_slot(r, &figures_slot[i], t->slot[at],
				t->value[at][i]);
	}
}

void
commands_metrics(struct commands *c, struct control_request *r,
	const struct words *words)
{
	(void)words;
	control_table(r, "text");
	metrics_of_daemon(c, r);
	metrics_of_slots(r, figures_of_slots(c->master));
	control_row(r);
	control_value(r, SLICE_LIT("# EOF"));
	control_row_end(r);
	control_finish(r, CONTROL_DONE, "%s", "");
}
