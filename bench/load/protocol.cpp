// memcached's text protocol, HTTP/1.1 on a kept connection, and echo.
#include "protocol.hpp"

#include <array>
#include <charconv>
#include <stdexcept>

namespace kev::load {

namespace {

constexpr size_t kPayload = 64;

// A value, or the one line that says that there is none.
size_t memcached_length(std::string_view bytes) {
  if (!bytes.starts_with("VALUE ")) {
    size_t line = bytes.find("\r\n");
    return line == bytes.npos ? 0 : line + 2;
  }
  constexpr std::string_view end = "\r\nEND\r\n";
  size_t at = bytes.find(end);
  return at == bytes.npos ? 0 : at + end.size();
}

size_t http_length(std::string_view bytes) {
  size_t head = bytes.find("\r\n\r\n");
  if (head == bytes.npos) return 0;
  size_t body = 0;
  for (std::string_view field : {"\r\ncontent-length: ", "\r\nContent-Length: "}) {
    size_t at = bytes.substr(0, head).find(field);
    if (at != bytes.npos) std::from_chars(bytes.data() + at + field.size(), bytes.data() + head, body);
  }
  return bytes.size() < head + 4 + body ? 0 : head + 4 + body;
}

size_t echo_length(std::string_view bytes) { return bytes.size() < kPayload ? 0 : kPayload; }

}  // namespace

Protocol find_protocol(std::string_view name) {
  std::string payload(kPayload, 'x');
  std::array<Protocol, 3> known = {{
      {"memcached", "set k 0 0 " + std::to_string(kPayload) + "\r\n" + payload + "\r\n", "get k\r\n", memcached_length},
      {"http", "", "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", http_length},
      {"echo", "", payload, echo_length},
  }};
  for (Protocol& protocol : known)
    if (name == protocol.name) return protocol;
  throw std::invalid_argument("not a protocol: " + std::string(name));
}

}  // namespace kev::load
