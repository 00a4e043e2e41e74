#!/bin/sh
# Runs one Criterion program as a TAP test.  Its --tap mode hides what the
# tests write to stderr, so sanitizer reports go to files, and a report that no
# assertion noticed (a leak, say) still fails the run.
#
# SPDX-License-Identifier: MIT
set -u
if [ ! -w /dev/shm ]; then
	echo "Bail out! Criterion needs a writable /dev/shm"
	exit 1
fi
san=$1.san
rm -f "$san".*
# handle_segv, handle_abort: or a test that expects such a signal fails.
ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}log_path=$san:handle_segv=0:handle_abort=0"
UBSAN_OPTIONS="${UBSAN_OPTIONS:+$UBSAN_OPTIONS:}log_path=$san:print_stacktrace=1"
export ASAN_OPTIONS UBSAN_OPTIONS
"$1" --tap --quiet --timeout 60
rc=$?
for report in "$san".*; do
	[ -s "$report" ] || continue
	sed 's/^/# /' "$report"
	rc=1
done
exit $rc
