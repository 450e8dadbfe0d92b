// What every exported function begins with.
#pragma once

#include <kev/kev.h>

#include <cerrno>

#define KEV_EXPORT extern "C" __attribute__((visibility("default")))
