/* SPDX-License-Identifier: MIT */
#include "base/version.h"

const char banter_version[] = BANTER_VERSION;
