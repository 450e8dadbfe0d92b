// Finding the program, following scripts to their interpreters, and naming what stands in the way of preloading.
#include "target.hpp"

#include "elf_file.hpp"

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <sstream>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <vector>

namespace kev::run {

namespace {

constexpr int kMostScripts = 5;  // a script whose interpreter is a script ...; the kernel's own limit

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// 0 if `path` can be executed, else the errno that execve would give.
int executable_error(const std::string& path) {
  struct stat status;
  if (::stat(path.c_str(), &status) != 0) return errno;
  if (!S_ISREG(status.st_mode)) return EACCES;
  return ::eaccess(path.c_str(), X_OK) == 0 ? 0 : errno;
}

// As execvp: without a slash, the first executable of that name in PATH. Sets `error` if there is none.
std::string search(const std::string& name, int& error) {
  error = ENOENT;
  if (name.empty()) return name;
  if (name.find('/') != std::string::npos) {
    error = executable_error(name);
    return name;
  }
  const char* path = std::getenv("PATH");
  std::string folders = path != nullptr ? path : "/bin:/usr/bin";
  bool refused = false;
  for (size_t begin = 0; begin <= folders.size();) {
    size_t end = folders.find(':', begin);
    if (end == std::string::npos) end = folders.size();
    std::string folder = folders.substr(begin, end - begin);
    std::string candidate = folder.empty() ? name : folder + "/" + name;
    int here = executable_error(candidate);
    if (here == 0) {
      error = 0;
      return candidate;
    }
    refused |= here == EACCES;
    begin = end + 1;
  }
  if (refused) error = EACCES;
  return name;
}

// Whether running the file gives other rights than the caller's, so that the loader ignores LD_PRELOAD.
bool raises_privileges(const std::string& path, bool no_new_privileges) {
  struct stat status;
  struct statvfs volume;
  if (no_new_privileges || ::stat(path.c_str(), &status) != 0) return false;
  if (::statvfs(path.c_str(), &volume) == 0 && (volume.f_flag & ST_NOSUID) != 0) return false;
  if ((status.st_mode & S_ISUID) != 0 && status.st_uid != ::getuid()) return true;
  if ((status.st_mode & S_ISGID) != 0 && (status.st_mode & S_IXGRP) != 0 && status.st_gid != ::getgid()) return true;
  return ::getuid() != 0 && ::getxattr(path.c_str(), "security.capability", nullptr, 0) > 0;
}

bool is_glibc_loader(const std::string& loader) {
  auto named = [](const std::string& name) { return name.rfind("ld-linux", 0) == 0 || name.rfind("ld-2.", 0) == 0; };
  if (named(base_name(loader))) return true;
  char real[PATH_MAX];
  return ::realpath(loader.c_str(), real) != nullptr && named(base_name(real));
}

// Why the ELF file cannot take the object, or "".
std::string obstacle_of(const std::string& path, const ElfFile& file, bool no_new_privileges) {
  if (file.format == Format::unreadable) return path + " cannot be read";
  if (file.format == Format::foreign_elf) return path + " " + file.foreign;
  if (file.loader.empty()) return path + (file.is_go ? " is statically linked (Go)" : " is statically linked");
  if (!is_glibc_loader(file.loader)) return path + " uses another C library (loader " + file.loader + ")";
  if (raises_privileges(path, no_new_privileges)) return path + " is set-uid, set-gid or has file capabilities";
  return "";
}

struct Interpreter {
  std::string path;
  std::string argument;
};

Interpreter split_first_line(const std::string& line) {
  constexpr const char* kBlank = " \t";
  Interpreter out;
  size_t begin = line.find_first_not_of(kBlank);
  if (begin == std::string::npos) return out;
  size_t end = line.find_first_of(kBlank, begin);
  out.path = line.substr(begin, end - begin);
  if (end == std::string::npos) return out;
  begin = line.find_first_not_of(kBlank, end);
  if (begin != std::string::npos) out.argument = line.substr(begin, line.find_last_not_of(kBlank) + 1 - begin);
  return out;
}

// The program that env(1) runs for "#!/usr/bin/env ARGUMENT", or "".
std::string env_program(const std::string& argument) {
  std::istringstream words(argument);
  std::string word;
  while (words >> word) {
    if (word == "-u" || word == "-C") words >> word;
    else if (word.rfind("-S", 0) == 0 && word.size() > 2) return word.substr(2);
    else if (word[0] != '-' && word.find('=') == std::string::npos) return word;
  }
  return "";
}

}  // namespace

Target find_target(const char* program, bool no_new_privileges) {
  Target target;
  target.path = search(program, target.error);
  if (target.error != 0) return target;
  std::string path = target.path;
  for (int depth = 0; depth <= kMostScripts; ++depth) {
    ElfFile file = read_executable(path);
    if (file.format == Format::unknown) {
      // execvp gives a file that the kernel does not know to the shell; so does main.cpp.
      path = "/bin/sh";
      continue;
    }
    if (file.format != Format::script) {
      target.executable = path;
      target.loader = file.loader;
      target.sanitizer = file.sanitizer;
      target.obstacle = obstacle_of(path, file, no_new_privileges);
      if (target.obstacle.empty() && ::getauxval(AT_SECURE) != 0) target.obstacle = "the caller changed its user id";
      return target;
    }
    Interpreter interpreter = split_first_line(file.first_line);
    path = interpreter.path;
    if (base_name(path) == "env") {
      std::string obstacle = obstacle_of(path, read_executable(path), no_new_privileges);
      int error = 0;
      std::string found = search(env_program(interpreter.argument), error);
      if (obstacle.empty() && error == 0) path = found;
    }
    if (path.empty() || executable_error(path) != 0) break;  // the kernel, or the shell, will say so
  }
  target.obstacle = "the interpreter of " + target.path + " was not found";
  return target;
}

}  // namespace kev::run
