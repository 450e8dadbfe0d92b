// The preload object: where it stands, and LD_PRELOAD's list of objects.
#pragma once

#include <string>

namespace kev::run {

// KEV_OBJECT, else beside kev-run (the build tree), else where it was installed. "" if none is there.
std::string find_object();

// `list` (LD_PRELOAD's value) without `object` and any other copy of libkev-preload.so.
std::string without_object(const std::string& list, const std::string& object);

// `list` with `object` in front, once; with `sanitizer`, if not empty, before it.
std::string with_object(const std::string& list, const std::string& object, const std::string& sanitizer);

}  // namespace kev::run
