#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "common/check.h"
#include "common/protocol/native.h"
#include "common/protocol/proxy_protocol.h"
#include "common/protocol/sniff.h"
#include "tests/unit/support/frame_compare.h"

// What the first bytes of a connection meet: the native decoder, the sniffer and the PROXY parser.
// An input is a byte of choices (bit 0: the server sends; bit 1: before WELCOME; bits 2 and 3: the
// limit; bits 4 to 6: how many cuts), a byte for the length of each cut piece, then the stream.
// Each must give the same answers in that cutting as for the whole, and read no byte past its
// input: every piece is a heap block of exactly its size, which AddressSanitizer watches.
namespace {

using namespace holdfast;
using Bytes = std::vector<std::byte>;

struct Input {
  native::FrameLimits limits;
  std::vector<size_t> piece_ends;  // the last is the stream's end
  Bytes stream;
};

Input read_input(std::span<const uint8_t> raw) {
  static constexpr std::array<uint32_t, 4> kLimits = {65536, 1024, 16, 16 << 20};
  Input input;
  if (raw.empty()) return input;
  const uint8_t choices = raw[0];
  input.limits.sender = (choices & 1) != 0 ? native::Sender::kServer : native::Sender::kDevice;
  input.limits.before_welcome = (choices & 2) != 0;
  input.limits.body_bytes_max = kLimits[choices >> 2 & 3];
  const size_t cut_count = std::min<size_t>(choices >> 4 & 7, raw.size() - 1);
  const auto stream = std::as_bytes(raw.subspan(1 + cut_count));
  input.stream.assign(stream.begin(), stream.end());
  size_t end = 0;
  for (const uint8_t piece_bytes : raw.subspan(1, cut_count)) {
    end = std::min(end + piece_bytes, input.stream.size());
    input.piece_ends.push_back(end);
  }
  input.piece_ends.push_back(input.stream.size());
  return input;
}

Bytes copy_of(const Bytes& stream, size_t begin, size_t end) {
  return {stream.begin() + static_cast<std::ptrdiff_t>(begin),
          stream.begin() + static_cast<std::ptrdiff_t>(end)};
}

// Writes the frame again. What has one form only must come out as the bytes that were read; a HELLO
// may have been written otherwise (order of pairs, unknown keys) and must say the same.
class Reencoder final {
 public:
  Reencoder(const native::FrameLimits& limits, std::span<const std::byte> read)
      : limits_(limits), read_(read), out_(read.size()) {}

  void operator()(const Hello& hello) {
    const size_t written = native::encode(hello, out_);
    HF_CHECK(written > 0);
    const native::DecodeResult again =
        native::decode_frame(std::span(out_).first(written), limits_);
    HF_CHECK(again.status == native::DecodeStatus::kFrame && again.consumed == written);
    HF_CHECK(test::describe(again.frame) == test::describe(Frame(hello)));
  }
  // There is no encoder: the server sends neither.
  void operator()(const Subscribe&) {}
  void operator()(const Unsubscribe&) {}
  template <class Content>
  void operator()(const Content& content) {
    HF_CHECK(native::encode(content, out_) == read_.size());
    HF_CHECK(std::equal(out_.begin(), out_.end(), read_.begin(), read_.end()));
  }

 private:
  const native::FrameLimits& limits_;
  std::span<const std::byte> read_;
  Bytes out_;
};

struct Outcome {
  std::vector<std::string> frames;
  native::DecodeError error = native::DecodeError::kNone;
  size_t consumed = 0;

  bool operator==(const Outcome&) const = default;
};

// Decodes as a connection does: what is left of one piece stands before the next.
Outcome decode_pieces(const Input& input, const std::vector<size_t>& piece_ends) {
  Outcome outcome;
  for (const size_t end : piece_ends) {
    for (;;) {
      const Bytes pending = copy_of(input.stream, outcome.consumed, end);
      const native::DecodeResult result = native::decode_frame(pending, input.limits);
      HF_CHECK((result.error != native::DecodeError::kNone) ==
               (result.status == native::DecodeStatus::kBad));
      if (result.status == native::DecodeStatus::kBad) {
        outcome.error = result.error;
        return outcome;
      }
      if (result.status == native::DecodeStatus::kNeedMore) break;
      HF_CHECK(result.consumed >= 2 && result.consumed <= pending.size());
      outcome.frames.push_back(test::describe(result.frame));
      Reencoder reencoder(input.limits, std::span(pending).first(result.consumed));
      std::visit(reencoder, result.frame);
      outcome.consumed += result.consumed;
    }
  }
  return outcome;
}

// An answer once given stays, and comes with kSniffBytesMax bytes at the latest.
void check_sniff(const Input& input) {
  const SniffedProtocol whole = sniff(input.stream);
  HF_CHECK(whole != SniffedProtocol::kNeedMore || input.stream.size() < kSniffBytesMax);
  for (const size_t end : input.piece_ends) {
    const SniffedProtocol earlier = sniff(copy_of(input.stream, 0, end));
    HF_CHECK(earlier == SniffedProtocol::kNeedMore || earlier == whole);
  }
}

void check_proxy_protocol(const Input& input) {
  using proxy_protocol::ParseStatus;
  const proxy_protocol::ParseResult whole = proxy_protocol::parse(input.stream);
  HF_CHECK((whole.consumed > 0) == (whole.status == ParseStatus::kHeader));
  HF_CHECK(whole.consumed <= std::min(input.stream.size(), proxy_protocol::kHeaderBytesMax));
  HF_CHECK(whole.status != ParseStatus::kNeedMore ||
           input.stream.size() < proxy_protocol::kHeaderBytesMax);
  for (const size_t end : input.piece_ends) {
    const proxy_protocol::ParseResult earlier =
        proxy_protocol::parse(copy_of(input.stream, 0, end));
    if (earlier.status == ParseStatus::kNeedMore) continue;
    HF_CHECK(earlier.status == whole.status && earlier.consumed == whole.consumed);
    HF_CHECK(earlier.has_source == whole.has_source && earlier.is_ipv4 == whole.is_ipv4);
    HF_CHECK(earlier.source_bytes == whole.source_bytes);
    HF_CHECK(earlier.source_port == whole.source_port);
  }
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): the name that libFuzzer calls.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Input input = read_input({data, size});
  HF_CHECK(decode_pieces(input, {input.stream.size()}) == decode_pieces(input, input.piece_ends));
  check_sniff(input);
  check_proxy_protocol(input);
  return 0;
}
