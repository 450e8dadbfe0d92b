// Finding the preload object and composing LD_PRELOAD.
#include "object.hpp"

#include <climits>
#include <cstdlib>
#include <functional>
#include <sys/auxv.h>
#include <unistd.h>

namespace kev::run {

namespace {

constexpr const char* kObjectName = "libkev-preload.so";
constexpr const char* kSeparators = ": ";  // as ld.so(8) has them

std::string own_folder() {
  char path[PATH_MAX];
  ssize_t n = ::readlink("/proc/self/exe", path, sizeof path);
  std::string self;
  if (n > 0 && n < static_cast<ssize_t>(sizeof path)) self.assign(path, static_cast<size_t>(n));
  else if (auto* name = reinterpret_cast<const char*>(::getauxval(AT_EXECFN))) self = name;
  size_t slash = self.rfind('/');
  return slash == std::string::npos ? "" : self.substr(0, slash + 1);
}

std::string absolute(const std::string& path) {
  char real[PATH_MAX];
  return ::realpath(path.c_str(), real) != nullptr ? real : "";
}

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// The entries of `list` that `keep` wants, joined again.
std::string filtered(const std::string& list, const std::function<bool(const std::string&)>& keep) {
  std::string out;
  for (size_t begin = list.find_first_not_of(kSeparators); begin != std::string::npos;) {
    size_t end = list.find_first_of(kSeparators, begin);
    std::string entry = list.substr(begin, end - begin);
    if (keep(entry)) out.append(out.empty() ? "" : ":").append(entry);
    begin = list.find_first_not_of(kSeparators, end);
  }
  return out;
}

}  // namespace

std::string find_object() {
  if (const char* named = std::getenv("KEV_OBJECT")) return absolute(named);
  std::string folder = own_folder();
  std::string object = folder.empty() ? "" : absolute(folder + kObjectName);
#ifdef KEV_LIBDIR
  if (object.empty()) object = absolute(std::string(KEV_LIBDIR "/") + kObjectName);
#endif
  return object;
}

std::string without_object(const std::string& list, const std::string& object) {
  return filtered(list, [&](const std::string& entry) {
    return entry != object && base_name(entry) != kObjectName && (object.empty() || absolute(entry) != object);
  });
}

std::string with_object(const std::string& list, const std::string& object, const std::string& sanitizer) {
  std::string rest = without_object(list, object);
  std::string first = sanitizer;
  if (!sanitizer.empty()) {
    // A sanitizer that the user preloads already, by name or by path, moves to the front as it is written.
    auto is_sanitizer = [&](const std::string& entry) { return base_name(entry) == sanitizer; };
    std::string present = filtered(rest, is_sanitizer);
    if (!present.empty()) first = present.substr(0, present.find(':'));
    rest = filtered(rest, [&](const std::string& entry) { return !is_sanitizer(entry); });
    first += ':';
  }
  return first + object + (rest.empty() ? "" : ":" + rest);
}

}  // namespace kev::run
