#include "gateway/net/ticket_keys.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/openssl_handles.h"
#include "tests/unit/support/temporary_folder.h"

namespace holdfast {
namespace {

using std::filesystem::path;

using CipherHandle = std::unique_ptr<EVP_CIPHER_CTX, FreeBy<EVP_CIPHER_CTX_free>>;
using MacHandle = std::unique_ptr<EVP_MAC_CTX, FreeBy<EVP_MAC_CTX_free>>;
using MacKind = std::unique_ptr<EVP_MAC, FreeBy<EVP_MAC_free>>;

MacHandle new_mac() {
  const MacKind kind(EVP_MAC_fetch(nullptr, "HMAC", nullptr));
  return MacHandle(EVP_MAC_CTX_new(kind.get()));
}

struct Sealed {
  std::array<unsigned char, 16> name{};
  std::array<unsigned char, EVP_MAX_IV_LENGTH> iv{};
  std::string text;
};

Sealed seal(const TicketKeys& keys, const std::string& plain) {
  Sealed sealed;
  const CipherHandle cipher(EVP_CIPHER_CTX_new());
  const MacHandle mac = new_mac();
  EXPECT_EQ(keys.seal(sealed.name.data(), sealed.iv.data(), cipher.get(), mac.get()), 1);
  sealed.text.resize(plain.size() + 32);
  int bytes = 0;
  int more = 0;
  auto* const out = reinterpret_cast<unsigned char*>(sealed.text.data());
  EVP_EncryptUpdate(cipher.get(), out, &bytes, reinterpret_cast<const unsigned char*>(plain.data()),
                    static_cast<int>(plain.size()));
  EVP_EncryptFinal_ex(cipher.get(), out + bytes, &more);
  sealed.text.resize(static_cast<size_t>(bytes + more));
  return sealed;
}

// What open() says, and the plain text where it found a key.
std::pair<int, std::string> open(const TicketKeys& keys, const Sealed& sealed) {
  const CipherHandle cipher(EVP_CIPHER_CTX_new());
  const MacHandle mac = new_mac();
  const int found = keys.open(sealed.name.data(), sealed.iv.data(), cipher.get(), mac.get());
  if (found <= 0) return {found, ""};
  std::string plain(sealed.text.size() + 32, '\0');
  int bytes = 0;
  int more = 0;
  auto* const out = reinterpret_cast<unsigned char*>(plain.data());
  EVP_DecryptUpdate(cipher.get(), out, &bytes,
                    reinterpret_cast<const unsigned char*>(sealed.text.data()),
                    static_cast<int>(sealed.text.size()));
  if (EVP_DecryptFinal_ex(cipher.get(), out + bytes, &more) != 1) return {found, "garbled"};
  plain.resize(static_cast<size_t>(bytes + more));
  return {found, plain};
}

using Opened = std::pair<int, std::string>;

class TicketKeysTest : public test::TemporaryFolder {
 protected:
  std::shared_ptr<TicketKeys> read(const std::string& bytes) const {
    Result<std::shared_ptr<TicketKeys>> keys = TicketKeys::read(write("ticket.key", bytes));
    EXPECT_TRUE(keys.is_ok()) << keys.status().message();
    return keys.value();
  }
  std::string error_of(const std::string& bytes, mode_t mode = 0600) const {
    const auto keys = TicketKeys::read(write("ticket.key", bytes, mode));
    return keys.is_ok() ? "no error" : shortened(keys.status().message());
  }
};

TEST_F(TicketKeysTest, WhatTheFirstKeySealsItOpens) {
  const auto keys = TicketKeys::make().value();
  EXPECT_EQ(open(*keys, seal(*keys, "a session")), Opened(1, "a session"));
}

TEST_F(TicketKeysTest, KeysOfTwoProcessesAreNotTheSame) {
  const auto one = TicketKeys::make().value();
  const auto other = TicketKeys::make().value();
  EXPECT_EQ(open(*other, seal(*one, "a session")).first, 0);
}

TEST_F(TicketKeysTest, AnOlderKeyOpensAndAsksForRenewalUntilItIsForgotten) {
  const auto keys = TicketKeys::make().value();
  const Sealed sealed = seal(*keys, "a session");
  for (size_t i = 1; i < TicketKeys::kKeptMax; ++i) {
    ASSERT_TRUE(keys->rotate().is_ok());
    EXPECT_EQ(open(*keys, sealed), Opened(2, "a session"));
  }
  ASSERT_TRUE(keys->rotate().is_ok());
  EXPECT_EQ(open(*keys, sealed).first, 0);
  EXPECT_EQ(keys->count(), TicketKeys::kKeptMax);
}

// Handshakes run in threads of their own, and the control thread changes the keys under them.
TEST_F(TicketKeysTest, KeysChangeUnderThreadsThatUseThem) {
  const auto keys = TicketKeys::make().value();
  std::vector<std::thread> threads;
  std::atomic<int> opened{0};
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 300; ++round) {
        const Opened result = open(*keys, seal(*keys, "a session"));
        // More rotations than are kept may have come between the two.
        if (result.first == 0 || result.second == "a session") ++opened;
      }
    });
  }
  for (int round = 0; round < 300; ++round) EXPECT_TRUE(keys->rotate().is_ok());
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(opened, 600);
}

TEST_F(TicketKeysTest, NodesThatShareAFileOpenEachOthers) {
  const std::string first(80, 'a');
  const std::string second(80, 'b');
  const auto before = read(first);
  const auto after = read(second + first);
  EXPECT_EQ(open(*after, seal(*before, "a session")), Opened(2, "a session"));
  // The node that has not read its file again does not know the new key.
  EXPECT_EQ(open(*before, seal(*after, "a session")).first, 0);
  EXPECT_EQ(open(*read(first), seal(*before, "a session")), Opened(1, "a session"));
}

TEST_F(TicketKeysTest, TheNameIsTheFirstSixteenBytes) {
  const auto keys = read(std::string(16, 'n') + std::string(64, 'k'));
  const Sealed sealed = seal(*keys, "x");
  EXPECT_EQ(std::string(sealed.name.begin(), sealed.name.end()), std::string(16, 'n'));
}

TEST_F(TicketKeysTest, OneToEightKeysAreTaken) {
  std::string bytes;
  for (char i = 0; i < 8; ++i) bytes += std::string(80, static_cast<char>('a' + i));
  EXPECT_EQ(read(bytes)->count(), 8U);
  EXPECT_EQ(error_of(bytes + std::string(80, 'z')), "ticket.key is too large: at most 640 bytes");
}

TEST_F(TicketKeysTest, AFileOfAnotherSizeIsRefused) {
  const std::string rest =
      " bytes: a ticket key has 80, and 1 to 8 of them stand one behind the other; "
      "`tools/certs --ticket-key` makes one";
  for (const size_t bytes : {0U, 1U, 48U, 79U, 81U, 159U}) {
    EXPECT_EQ(error_of(std::string(bytes, 'a')), "ticket.key has " + std::to_string(bytes) + rest);
  }
}

TEST_F(TicketKeysTest, TwoKeysOfOneNameAreRefused) {
  EXPECT_EQ(error_of(std::string(80, 'a') + std::string(16, 'a') + std::string(64, 'b')),
            "ticket.key has two keys with the same first 16 bytes, which name a key: make each "
            "with `tools/certs --ticket-key`");
}

TEST_F(TicketKeysTest, AFileOpenToOthersIsRefused) {
  EXPECT_EQ(error_of(std::string(80, 'a'), 0640),
            "ticket.key has mode 0640, open to others than its owner: chmod 600 ticket.key");
}

TEST_F(TicketKeysTest, AMissingFileIsNamed) {
  EXPECT_EQ(shortened(TicketKeys::read(folder_ / "none").status().message()),
            "cannot open none: No such file or directory");
}

}  // namespace
}  // namespace holdfast
