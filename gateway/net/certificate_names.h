#pragma once

#include <openssl/types.h>

#include <string>
#include <vector>

// The names that a certificate is made out to, as they stand in it. A name with a NUL inside, which
// two readers would take for two names, is left out.
namespace holdfast {

std::vector<std::string> common_names(const X509& certificate);  // UTF-8
std::vector<std::string> dns_names(const X509& certificate);
std::vector<std::string> uri_names(const X509& certificate);

// Host names are compared without regard to capitals (RFC 4343); ASCII alone, as DNS has it.
std::string in_small_letters(std::string name);

}  // namespace holdfast
