// What cannot be preloaded: it runs natively with one line that says why, or is refused with --strict.
#include "kev_run_support.hpp"

#include <algorithm>

namespace kev_run_test {
namespace {

constexpr const char* kSeven = "int main(void) { return 7; }\n";

class KevRunTarget : public KevRun {
 protected:
  // `program` runs natively with its own `status` and one line that holds `why`; with --strict it is refused.
  void expect_native(const std::string& program, const std::vector<int>& statuses, const std::string& why,
                     const Variables& variables = {}) {
    SCOPED_TRACE(program);
    Result result = run({program}, variables);
    EXPECT_NE(std::find(statuses.begin(), statuses.end(), result.status), statuses.end()) << result.status;
    std::vector<std::string> lines = result.complaints();
    ASSERT_FALSE(lines.empty()) << result.err;
    EXPECT_TRUE(contains(lines[0], why)) << result.err;
    EXPECT_TRUE(contains(lines[0], ": runs natively")) << result.err;
    EXPECT_EQ(lines.size(), result.status == 126 ? 2u : 1u) << result.err;
    EXPECT_FALSE(contains(result.err, "ld.so")) << result.err;

    result = run({"--strict", program}, variables);
    EXPECT_EQ(result.status, 125);
    ASSERT_EQ(result.complaints().size(), 1u) << result.err;
    EXPECT_TRUE(contains(result.err, why)) << result.err;
  }
};

TEST_F(KevRunTarget, StaticPrograms) {
  std::string program = compile("static", kSeven, "cc -static");
  ASSERT_NE(program, "") << contents(folder_ + "/cc.log");
  expect_native(program, {7}, "is statically linked");
  std::string pie = compile("static-pie", kSeven, "cc -static-pie");
  ASSERT_NE(pie, "") << contents(folder_ + "/cc.log");
  expect_native(pie, {7}, "is statically linked");
}

TEST_F(KevRunTarget, StaticProgramsOfGoAreNamedSo) {
  // The section by which the Go tool chain marks what it builds.
  std::string program = compile(
      "go",
      "__attribute__((section(\".go.buildinfo\"), used)) static char mark[16] = \"x\";\nint main(void) { return 7; }\n",
      "cc -static");
  ASSERT_NE(program, "");
  expect_native(program, {7}, "is statically linked (Go)");
}

TEST_F(KevRunTarget, ProgramsOfAnotherWordSize) {
  std::string program = compile("small", kSeven, "gcc -m32");
  if (program.empty()) GTEST_SKIP() << "no compiler for 32-bit programs (gcc-N-multilib, libc6-dev-i386)";
  // 126 where the kernel runs no 32-bit programs.
  expect_native(program, {7, 126}, "is a 32-bit program");
}

TEST_F(KevRunTarget, ProgramsForAnotherProcessor) {
  std::string program = compile("other", kSeven, "cc");
  ASSERT_NE(program, "");
  std::fstream file(program, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(18);  // e_machine
  file.write("\xf3\x00", 2);
  file.close();
  expect_native(program, {126}, "is for another kind of processor");
}

TEST_F(KevRunTarget, ProgramsOfAnotherLibc) {
  std::string program = compile("musl", kSeven, "musl-gcc");
  if (program.empty()) GTEST_SKIP() << "no musl-gcc (musl-tools)";
  expect_native(program, {7}, "uses another C library");
  expect_native(program, {7}, "uses another C library", {{"LD_PRELOAD", object_}});
}

TEST_F(KevRunTarget, ProgramsThatRaisePrivileges) {
  if (::getuid() == 0) {
    std::string program = compile("privileged", kSeven, "cc");
    ASSERT_NE(program, "");
    ASSERT_EQ(::chown(program.c_str(), 65534, 65534), 0);
    ASSERT_EQ(::chmod(program.c_str(), 04755), 0);
    ASSERT_EQ(::chmod(folder_.c_str(), 0755), 0);
    expect_native(program, {7}, "is set-uid, set-gid or has file capabilities");
    ASSERT_EQ(::chmod(program.c_str(), 02755), 0);
    expect_native(program, {7}, "is set-uid, set-gid or has file capabilities");
    // Set-uid to the one who runs it raises nothing; nor do the bits without the group's execute bit.
    ASSERT_EQ(::chown(program.c_str(), 0, 0), 0);
    ASSERT_EQ(::chmod(program.c_str(), 06755), 0);
    EXPECT_EQ(run({"--strict", program}).status, 7);
  } else {
    Result result = run({"--strict", "su", "--version"});
    EXPECT_EQ(result.status, 125);
    EXPECT_TRUE(contains(result.err, "is set-uid")) << result.err;
  }
}

TEST_F(KevRunTarget, ProgramsThatCannotBeRead) {
  if (::getuid() == 0) {
    // Root reads everything: give it up for the run.
    ASSERT_EQ(::chmod(folder_.c_str(), 0777), 0);
    std::string program = compile("unreadable", kSeven, "cc");
    ASSERT_NE(program, "");
    ASSERT_EQ(::chmod(program.c_str(), 0711), 0);
    std::filesystem::copy_file(launcher_, folder_ + "/kev-run");
    std::filesystem::copy_file(object_, folder_ + "/object.so");
    launcher_ = folder_ + "/kev-run";
    Result result = run({program}, {{"KEV_OBJECT", folder_ + "/object.so"}}, [] {
      (void)!::setgid(65534);
      (void)!::setuid(65534);
    });
    EXPECT_EQ(result.status, 7) << result.err;
    EXPECT_TRUE(contains(result.err, "cannot be read: runs natively")) << result.err;
  } else {
    std::string program = compile("unreadable", kSeven, "cc");
    ASSERT_EQ(::chmod(program.c_str(), 0111), 0);
    expect_native(program, {7}, "cannot be read");
  }
}

TEST_F(KevRunTarget, ScriptsAreFollowedToTheirInterpreter) {
  std::string interpreter = compile("static", kSeven, "cc -static");
  ASSERT_NE(interpreter, "");
  std::string script = write("script", "#!" + interpreter + "\n");
  std::string twice = write("twice", "#! " + script + " argument \n");
  std::string thrice = write("thrice", "#!\t" + twice + "\n");
  expect_native(script, {7}, interpreter + " is statically linked");
  expect_native(twice, {7}, interpreter + " is statically linked");
  expect_native(thrice, {7}, interpreter + " is statically linked");

  std::string good = write("good", "#!/bin/sh\necho \"$0 $1 [$LD_PRELOAD]\"\n");
  EXPECT_EQ(run({"--strict", good, "a"}).out, good + " a [" + object_ + "]\n");
}

TEST_F(KevRunTarget, EnvScriptsAreFollowedToo) {
  ASSERT_NE(compile("static-interpreter", kSeven, "cc -static"), "");
  for (const char* line : {"#!/usr/bin/env static-interpreter\n", "#!/usr/bin/env -S static-interpreter -x\n",
                           "#! /usr/bin/env -S A=b static-interpreter\n"}) {
    std::string script = write("env-script", line);
    expect_native(script, {7}, "static-interpreter is statically linked");
  }
  std::string good = write("good", "#!/usr/bin/env sh\necho \"[$LD_PRELOAD]\"\n");
  EXPECT_EQ(run({"--strict", good}).out, "[" + object_ + "]\n");
  std::string missing = write("missing", "#!/usr/bin/env no-such-interpreter\n");
  EXPECT_EQ(run({missing}).status, 127);
}

TEST_F(KevRunTarget, AFileWithoutFormatIsTheShells) {
  std::string script = write("plain", "echo \"$0 $1 [$LD_PRELOAD]\"\nexit 3\n");
  Result result = run({"--strict", script, "a b"});
  EXPECT_EQ(result.status, 3) << result.err;
  EXPECT_EQ(result.out, script + " a b [" + object_ + "]\n");
}

TEST_F(KevRunTarget, DamagedExecutablesDoNoHarm) {
  std::string whole = contents("/bin/true");
  for (size_t length : {4u, 16u, 40u, 64u, 100u, 600u}) {
    std::string program = write("cut", whole.substr(0, length));
    Result result = run({program});
    EXPECT_TRUE(result.status == 126 || result.status >= 256) << length << ": " << result.status << result.err;
    EXPECT_FALSE(contains(result.err, "terminate called")) << result.err;
  }
  std::string program = whole;
  for (size_t at = 24; at < 64; ++at) program[at] = '\xff';
  EXPECT_NE(run({write("wild", program)}).status, 0);
}

TEST_F(KevRunTarget, AnAsanProgramGetsItsLibraryFirst) {
  std::string program = compile(
      "asan", "#include <stdio.h>\n#include <stdlib.h>\nint main(void) { puts(getenv(\"LD_PRELOAD\")); return 7; }\n",
      "gcc -fsanitize=address");
  if (program.empty()) GTEST_SKIP() << "no gcc with libasan";
  Result result = run({"--strict", program});
  EXPECT_EQ(result.status, 7) << result.err;
  EXPECT_EQ(result.out.rfind("libasan.so", 0), 0u) << result.out;
  EXPECT_TRUE(contains(result.out, ":" + object_ + "\n")) << result.out;
  std::string library = result.out.substr(0, result.out.find(':'));
  // Preloaded already: not doubled.
  result = run({"--strict", program}, {{"LD_PRELOAD", library + ":" + object_}});
  EXPECT_EQ(result.out, library + ":" + object_ + "\n") << result.err;
}

}  // namespace
}  // namespace kev_run_test
