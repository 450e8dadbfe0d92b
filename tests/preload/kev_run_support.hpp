// Running kev-run as its users do, and looking at what came of it.
//
// The launcher and the object under test come from the environment (KEV_RUN, KEV_PRELOAD). Each case has a folder of
// its own, which also holds the programs that it compiles.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <string>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace kev_run_test {

struct Result {
  int status = -1;  // exit status, or 256 + signal
  pid_t pid = 0;
  std::string out;
  std::string err;

  // The lines of stderr that kev-run wrote.
  std::vector<std::string> complaints() const {
    std::vector<std::string> lines;
    for (size_t at = 0; at < err.size();) {
      size_t end = err.find('\n', at);
      if (end == std::string::npos) end = err.size();
      if (err.compare(at, 9, "kev-run: ") == 0) lines.push_back(err.substr(at, end - at));
      at = end + 1;
    }
    return lines;
  }
};

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

inline std::string contents(const std::string& path) {
  std::ifstream file(path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

using Variables = std::map<std::string, std::string>;

class KevRun : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* launcher = std::getenv("KEV_RUN");
    const char* object = std::getenv("KEV_PRELOAD");
    ASSERT_TRUE(launcher != nullptr && object != nullptr) << "KEV_RUN and KEV_PRELOAD name what is tested";
    launcher_ = std::filesystem::absolute(launcher);
    object_ = std::filesystem::canonical(object);
    char folder[] = "/tmp/kev-run-XXXXXX";
    ASSERT_NE(::mkdtemp(folder), nullptr);
    folder_ = folder;
  }
  void TearDown() override {
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }

  // Starts `arguments` (the first is the file) with nothing in the environment but `variables`, after `prepare`.
  pid_t start(const std::vector<std::string>& arguments, const Variables& variables = {},
              const std::function<void()>& prepare = {}) {
    pid_t child = ::fork();
    if (child != 0) return child;
    redirect(folder_ + "/out", 1);
    redirect(folder_ + "/err", 2);
    Variables all = {{"PATH", folder_ + ":/usr/bin:/bin"}, {"XDG_RUNTIME_DIR", folder_}, {"KEV_OBJECT", object_}};
    for (const auto& [name, value] : variables) all[name] = value;
    std::vector<std::string> entries;
    for (const auto& [name, value] : all)
      if (value != kUnset) entries.push_back(name + "=" + value);
    std::vector<char*> envp = pointers(entries);
    std::vector<std::string> words = arguments;
    std::vector<char*> argv = pointers(words);
    if (prepare) prepare();
    ::execve(argv[0], argv.data(), envp.data());
    ::_exit(199);
  }

  Result finish(pid_t child) {
    Result result;
    int status = 0;
    result.pid = child;
    ::waitpid(child, &status, 0);
    result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
    result.out = contents(folder_ + "/out");
    result.err = contents(folder_ + "/err");
    return result;
  }

  // kev-run with these arguments.
  Result run(std::vector<std::string> arguments, const Variables& variables = {},
             const std::function<void()>& prepare = {}) {
    arguments.insert(arguments.begin(), launcher_);
    return finish(start(arguments, variables, prepare));
  }

  // A file of the case's folder.
  std::string write(const std::string& name, const std::string& text, unsigned mode = 0755) {
    std::string path = folder_ + "/" + name;
    std::ofstream(path) << text;
    ::chmod(path.c_str(), mode);
    return path;
  }

  // Compiles a C program; "" if that compiler cannot.
  std::string compile(const std::string& name, const std::string& source, const std::string& compiler) {
    std::string path = folder_ + "/" + name;
    std::string file = write(name + ".c", source, 0644);
    std::string command = compiler + " -o " + path + " " + file + " >" + folder_ + "/cc.log 2>&1";
    return std::system(command.c_str()) == 0 ? path : "";
  }

  // Whether the object is mapped in a program that printed its maps.
  bool is_loaded(const Result& result) const { return contains(result.out, object_); }

  static constexpr const char* kUnset = "\x01";

  std::string launcher_, object_, folder_;

 private:
  static void redirect(const std::string& path, int to) {
    int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    ::dup2(fd, to);
    ::close(fd);
  }
  static std::vector<char*> pointers(std::vector<std::string>& from) {
    std::vector<char*> out;
    for (std::string& each : from) out.push_back(each.data());
    out.push_back(nullptr);
    return out;
  }
};

}  // namespace kev_run_test
