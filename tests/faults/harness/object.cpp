// Reads an ELF file's symbol table.
#include "harness/object.hpp"

#include <cxxabi.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <vector>

namespace faults {

std::string plain_name(const std::string& symbol) {
  int status = 0;
  char* text = abi::__cxa_demangle(symbol.c_str(), nullptr, nullptr, &status);
  if (text == nullptr) return symbol;
  std::string name(text);
  ::free(text);
  const std::string unnamed = "(anonymous namespace)::";
  for (size_t at; (at = name.find(unnamed)) != std::string::npos;) name.erase(at, unnamed.size());
  return name.substr(0, name.find('('));
}

Object::Object(const std::string& path) : path_(path) {
  std::ifstream in(path, std::ios::binary);
  const std::vector<char> bytes((std::istreambuf_iterator<char>(in)), {});
  if (bytes.size() < sizeof(Elf64_Ehdr)) throw std::runtime_error("cannot read " + path);
  const auto* header = reinterpret_cast<const Elf64_Ehdr*>(bytes.data());
  const auto* sections = reinterpret_cast<const Elf64_Shdr*>(bytes.data() + header->e_shoff);
  for (unsigned i = 0; i < header->e_shnum; ++i) {
    if (sections[i].sh_type != SHT_SYMTAB) continue;
    const auto* symbol = reinterpret_cast<const Elf64_Sym*>(bytes.data() + sections[i].sh_offset);
    const char* names = bytes.data() + sections[sections[i].sh_link].sh_offset;
    for (uint64_t n = sections[i].sh_size / sizeof *symbol; n > 0; --n, ++symbol) {
      if (symbol->st_value == 0) continue;
      symbols_[names + symbol->st_name] = symbol->st_value;
      if (ELF64_ST_TYPE(symbol->st_info) == STT_FUNC) functions_[symbol->st_value] = names + symbol->st_name;
    }
  }
  stub_return_ = address("kev_cp_end");
  end_ = address("_fini");
  if (stub_return_ == 0 || end_ == 0) throw std::runtime_error(path + " has no symbol kev_cp_end");
}

uint64_t Object::address(const std::string& symbol) const {
  const auto found = symbols_.find(symbol);
  return found == symbols_.end() ? 0 : found->second;
}

std::string Object::place(uint64_t address) const {
  auto next = functions_.upper_bound(address);
  std::ostringstream text;
  if (next == functions_.begin()) return "?";
  --next;
  text << plain_name(next->second) << "+0x" << std::hex << address - next->first;
  return text.str();
}

}  // namespace faults
