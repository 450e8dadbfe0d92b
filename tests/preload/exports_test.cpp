// The object as a file: what it exports and needs, how it is linked, built with hardening, installed.
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "harness/compare.hpp"

using namespace preload_test;

namespace {

std::string quoted(const std::string& word) { return "'" + word + "'"; }

// What a shell command prints; it must succeed.
std::string output_of(const std::string& text, int seconds = 110) {
  const Outcome outcome = run({.arguments = {"/bin/sh", "-c", text}, .seconds = seconds}, By::nothing);
  EXPECT_EQ(outcome.status, 0) << text << "\n" << outcome.out << outcome.err;
  return outcome.out;
}

std::set<std::string> lines_of(const std::string& text) {
  std::set<std::string> lines;
  std::istringstream in(text);
  for (std::string one; std::getline(in, one);) lines.insert(one);
  return lines;
}

std::string source_root() { return ::getenv("KEV_SOURCE_ROOT"); }

std::set<std::string> listed_names() {
  return lines_of(output_of(quoted(source_root() + "/scripts/interpose-map") + " names " +
                            quoted(source_root() + "/preload/interpose.def")));
}

// The exported names with their versions, as nm has them.
std::set<std::string> exports_of(const std::string& object) {
  return lines_of(output_of("nm -D --defined-only --format=posix " + quoted(object) + " | cut -d' ' -f1"));
}

void expect_well_linked(const std::string& object) {
  EXPECT_EQ(exports_of(object), listed_names());
  const std::string dynamic = output_of("readelf -W -d " + quoted(object));
  EXPECT_EQ(lines_of(output_of("readelf -W -d " + quoted(object) + " | sed -n 's/.*(NEEDED).*\\[\\(.*\\)\\]/\\1/p'")),
            std::set<std::string>{"libc.so.6"});
  EXPECT_NE(dynamic.find("BIND_NOW"), std::string::npos) << dynamic;
  EXPECT_EQ(dynamic.find("TEXTREL"), std::string::npos) << dynamic;
  EXPECT_NE(dynamic.find("STATIC_TLS"), std::string::npos) << "thread-local storage may be allocated late\n" << dynamic;
  const std::string segments = output_of("readelf -W -l " + quoted(object));
  EXPECT_NE(segments.find("GNU_RELRO"), std::string::npos) << segments;
  EXPECT_NE(output_of("readelf -W -l " + quoted(object) + " | grep GNU_STACK").find("RW "), std::string::npos);
  EXPECT_EQ(output_of("readelf -W -l " + quoted(object) + " | grep GNU_STACK").find("RWE"), std::string::npos);
}

class Folder {
 public:
  Folder() {
    char name[] = "/tmp/kev-test-XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

int minor_version(const std::string& version) { return std::atoi(version.c_str() + sizeof "GLIBC_2." - 1); }

bool has_tools() { return exists("/usr/bin/nm") && exists("/usr/bin/readelf"); }

}  // namespace

class ExportsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!has_tools()) GTEST_SKIP() << "nm and readelf (binutils) are not installed";
  }
};

TEST_F(ExportsTest, TheObjectExportsTheInterposedNamesUnversionedAndNothingElse) {
  EXPECT_EQ(exports_of(preload_object()), listed_names());
  EXPECT_GT(listed_names().size(), 70u);
}

TEST_F(ExportsTest, TheObjectNeedsTheCLibraryAloneAndIsLinkedHard) { expect_well_linked(preload_object()); }

TEST_F(ExportsTest, TheObjectNeedsNoVersionOfTheCLibraryAbove231) {
  for (const std::string& version :
       lines_of(output_of("readelf -W -V " + quoted(preload_object()) + " | grep -o 'GLIBC_[0-9.]*' | sort -u")))
    EXPECT_LE(minor_version(version), 31) << version;
}

TEST_F(ExportsTest, TheObjectHasNoExecutableStackAndNoConstructorButItsOwn) {
  // One pointer each: the compiler's start file, the shim's beginning, and where the stub finds its thread's record.
  EXPECT_LE(std::stoi("0" + output_of("readelf -W -S " + quoted(preload_object()) +
                                      " | sed -n 's/.* \\.init_array *INIT_ARRAY *[0-9a-f]* *[0-9a-f]* *0*\\([0-9a-f]*\\) .*/\\1/p'"),
                      nullptr, 16),
            24);
}

TEST_F(ExportsTest, TheAssemblersObjectsCarryTheirNotes) {
  const std::string folder = std::filesystem::path(preload_object()).parent_path().parent_path();
  const std::string objects = output_of("find " + quoted(folder + "/preload") + " " + quoted(folder + "/libkev") +
                                        " -name '*.S.o'");
  EXPECT_GE(lines_of(objects).size(), 2u) << objects;
  for (const std::string& object : lines_of(objects)) {
    const std::string notes = output_of("readelf -W -n " + quoted(object));
#if defined(__x86_64__)
    EXPECT_NE(notes.find("IBT, SHSTK"), std::string::npos) << object << "\n" << notes;
#elif defined(__aarch64__)
    EXPECT_NE(notes.find("BTI"), std::string::npos) << object << "\n" << notes;
#endif
    const std::string sections = output_of("readelf -W -S " + quoted(object) + " | grep GNU-stack");
    EXPECT_EQ(sections.find(" X "), std::string::npos) << object;
  }
}

// One build with everything that distributions turn on; no warning, and the result works.
TEST_F(ExportsTest, AHardenedBuildIsCleanAndItsObjectWorks) {
  Folder folder;
  const std::string build = folder.path() + "/build";
  output_of("meson setup " + quoted(build) + " " + quoted(source_root()) +
            " -Dtests=false -Db_lto=true -Dwerror=true -Doptimization=2"
            " -Dcpp_args='-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fcf-protection=full'");
  output_of("ninja -C " + quoted(build) + " preload/libkev-preload.so");
  const std::string object = build + "/preload/libkev-preload.so";
  expect_well_linked(object);
  Command command = {.arguments = {program("fork"), "plain"}, .environment = {"LD_PRELOAD=" + object, "KEV_ENGINE=epoll"}};
  EXPECT_EQ(run(command, By::nothing).status, 0);
  command.arguments = {program("threads"), "private_arrays"};
  EXPECT_EQ(run(command, By::nothing).status, 0);
  command.arguments = {program("errors"), "success"};
  EXPECT_EQ(run(command, By::nothing).status, 0);
}

TEST_F(ExportsTest, AnInstalledTreeIsCompleteAndItsLauncherFindsItsObject) {
  Folder folder;
  const std::string root = folder.path() + "/root";
  const std::string build = std::filesystem::path(preload_object()).parent_path().parent_path();
  output_of("DESTDIR=" + quoted(root) + " meson install --no-rebuild --quiet -C " + quoted(build));
  auto find = [&](const std::string& name) {
    const std::string found = output_of("find " + quoted(root) + " -name " + quoted(name) + " | head -n 1");
    return found.substr(0, found.find('\n'));
  };
  const std::string launcher = find("kev-run");
  ASSERT_NE(launcher.find("/bin/kev-run"), std::string::npos);
  EXPECT_NE(find("libkev-preload.so").find("/kev/libkev-preload.so"), std::string::npos);
  EXPECT_NE(find("libkev.so.1"), "");
  EXPECT_NE(find("version.h").find("/include/kev/"), std::string::npos);
  EXPECT_NE(find("kev.pc").find("/pkgconfig/"), std::string::npos);
  EXPECT_NE(find("kev-run.1*").find("/man1/"), std::string::npos);

  // In a mount namespace the tree stands where it belongs.
  const std::string installed = launcher.substr(root.size());
  const std::string prefix = installed.substr(0, installed.find("/bin/kev-run"));
  const std::string enter = "unshare --map-root-user --mount /bin/sh -c ";
  const std::string bind = "mount --bind " + quoted(root + prefix) + " " + quoted(prefix) + " && ";
  if (run({.arguments = {"/bin/sh", "-c", enter + "\"" + bind + "true\""}}, By::nothing).status != 0)
    GTEST_SKIP() << "mount namespaces are not permitted here";
  const std::string child = quoted(installed) + " -- " + quoted(program("child")) + " list";
  const std::string out = run({.arguments = {"/bin/sh", "-c", enter + "\"" + bind + child + "\""}}, By::nothing).out;
  EXPECT_NE(out.find("preload: " + find("libkev-preload.so").substr(root.size())), std::string::npos) << out;
}
