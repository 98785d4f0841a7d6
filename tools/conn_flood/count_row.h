#pragma once

#include <cstddef>
#include <string>

#include <nlohmann/json.hpp>

// A row of counts for a reader: `name_of(i)` names the i-th.
namespace holdfast::flood {

// By name; those that are zero only `with_zeros`.
template <class Row, class NameOf>
nlohmann::ordered_json named(const Row& row, NameOf name_of, bool with_zeros) {
  nlohmann::ordered_json object = nlohmann::ordered_json::object();
  for (size_t i = 0; i < row.size(); ++i) {
    if (with_zeros || row[i] > 0) object[std::string(name_of(i))] = row[i];
  }
  return object;
}

// "closed 3, reset 1": those that are not zero.
template <class Row, class NameOf>
std::string listed(const Row& row, NameOf name_of) {
  std::string text;
  for (size_t i = 0; i < row.size(); ++i) {
    if (row[i] == 0) continue;
    if (!text.empty()) text += ", ";
    text.append(name_of(i)).append(" ").append(std::to_string(row[i]));
  }
  return text;
}

}  // namespace holdfast::flood
