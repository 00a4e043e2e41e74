# The parts of bench/run, from the bottom up: settings, machine, process,
# servers and brokers (what is measured), tool (one measurement), store (what is
# kept), parts (what is measured with which), figures, plots and report.
#
# SPDX-License-Identifier: MIT
