// Children that cannot take the object run as they would: nothing is printed, nothing fails.
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "harness/compare.hpp"

using namespace preload_test;

namespace {

// Every way to execute `child` does what it does natively, and stderr stays empty.
void expect_every_way(const std::string& child) {
  const Outcome loaded = expect_same({.arguments = {program("exec"), "every_way", child}}, 0);
  EXPECT_EQ(loaded.err, "");
  EXPECT_NE(loaded.out.find("pclose 7"), std::string::npos) << loaded.out;
}

class Folder {
 public:
  Folder() {
    char name[] = "/tmp/kev-test-XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

void write_script(const std::string& path, const std::string& text) {
  std::ofstream(path) << text;
  ::chmod(path.c_str(), 0755);
}

}  // namespace

TEST(ChildrenTest, AChildThatTakesTheObjectRunsInEveryWay) { expect_every_way(program("child")); }

TEST(ChildrenTest, AChildOfAnotherCLibraryRunsInEveryWay) {
  if (!exists(program("child-musl"))) GTEST_SKIP() << "musl-gcc is not installed";
  expect_every_way(program("child-musl"));
}

TEST(ChildrenTest, AChildOfAnotherClassRunsInEveryWay) {
  if (!exists(program("child-32"))) GTEST_SKIP() << "the compiler cannot build 32-bit programs (gcc-N-multilib, libc6-dev-i386)";
  if (run({.arguments = {program("child-32")}}, By::nothing).status != 7)
    GTEST_SKIP() << "the kernel runs no 32-bit programs";
  expect_every_way(program("child-32"));
}

TEST(ChildrenTest, AStaticChildRunsInEveryWay) { expect_every_way(program("child-static")); }

TEST(ChildrenTest, AScriptOfAnInterpreterOfAnotherCLibraryRunsInEveryWay) {
  if (!exists(program("child-musl"))) GTEST_SKIP() << "musl-gcc is not installed";
  Folder folder;
  write_script(folder / "script", "#!" + program("child-musl") + "\n");
  expect_every_way(folder / "script");
}

TEST(ChildrenTest, AScriptOfTheShellRunsInEveryWay) {
  Folder folder;
  write_script(folder / "script", "#!/bin/sh\nexit 7\n");
  expect_every_way(folder / "script");
}

TEST(ChildrenTest, AScriptOfTheShellMayStartAChildOfAnotherCLibrary) {
  if (!exists(program("child-musl"))) GTEST_SKIP() << "musl-gcc is not installed";
  Folder folder;
  write_script(folder / "script", "#!/bin/sh\n" + program("child-musl") + "\nexec " + program("child-musl") + "\n");
  expect_every_way(folder / "script");
}

TEST(ChildrenTest, AStaticChildMayExecuteADynamicOneWhichTakesTheObject) {
  const Command command = {.arguments = {program("exec-static"), program("waits"), "everything"}};
  expect_same(command, 30);
}

TEST(ChildrenTest, TheOtherEntriesOfThePreloadListStayInTheirOrder) {
  if (!exists(program("child-musl"))) GTEST_SKIP() << "musl-gcc is not installed";
  for (const char* child : {"child-musl", "child-static"}) {
    Command command = {.arguments = {program("exec"), "execve", program(child), "list"}};
    command.before = program("quiet-1.so");
    command.after = program("quiet-2.so") + " " + program("quiet-3.so");
    const Outcome loaded = run(command, By::preload);
    EXPECT_EQ(loaded.status, 0) << loaded.err;
    const std::string expected = child == std::string("child-musl")
                                     ? program("quiet-1.so") + ":" + program("quiet-2.so") + ":" + program("quiet-3.so")
                                     : program("quiet-1.so") + ":" + preload_object() + ":" + program("quiet-2.so") +
                                           " " + program("quiet-3.so");
    EXPECT_NE(loaded.out.find("preload: " + expected + "\n"), std::string::npos) << loaded.out;
  }
}

TEST(ChildrenTest, AVariableThatStandsTwiceInTheEnvironmentDoesNoHarm) {
  if (!exists(program("child-musl"))) GTEST_SKIP() << "musl-gcc is not installed";
  expect_same({.arguments = {program("exec"), "variable_twice", program("child-musl")}}, 0);
}

TEST(ChildrenTest, AChildInARootWhereTheObjectIsNotVisibleRunsQuietly) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, for chroot";
  Folder root;
  std::filesystem::copy_file(program("child"), root / "child");
  // The child's loader and C library, as ldd names them.
  const Outcome list = run({.arguments = {"/usr/bin/ldd", program("child")}}, By::nothing);
  size_t copied = 0;
  for (size_t at = 0; (at = list.out.find('/', at)) != std::string::npos;) {
    const size_t end = list.out.find_first_of(" \n", at);
    const std::string path = list.out.substr(at, end - at);
    std::filesystem::create_directories(root.path() + std::filesystem::path(path).parent_path().string());
    std::filesystem::copy_file(path, root.path() + path, std::filesystem::copy_options::skip_existing);
    ++copied;
    at = end;
  }
  ASSERT_GE(copied, 2u) << list.out;
  const Outcome loaded = expect_same({.arguments = {program("exec"), "in_other_root", root.path()}}, 0);
  EXPECT_EQ(loaded.err, "");
  EXPECT_NE(loaded.out.find("7"), std::string::npos) << loaded.out;
}

TEST(ChildrenTest, ErrorsOfExecAndSpawnAreTheKernelsOwn) { expect_same("exec", "errors", 0); }
