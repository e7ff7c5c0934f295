#include "common/base/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace oltp20 {
namespace {

TEST(Utf8, WhatUnicodeDefinesIsAccepted) {
  EXPECT_FALSE(find_invalid_utf8(""));
  EXPECT_FALSE(find_invalid_utf8(std::string("a\0b", 3)));
  // The first and the last character of each length, and around the surrogates.
  EXPECT_FALSE(find_invalid_utf8("\x7F\xC2\x80\xDF\xBF\xE0\xA0\x80\xEF\xBF\xBF"));
  EXPECT_FALSE(find_invalid_utf8("\xED\x9F\xBF\xEE\x80\x80\xF0\x90\x80\x80\xF4\x8F\xBF\xBF"));
}

TEST(Utf8, EverythingElseIsFoundWhereItStands) {
  for (const char* bad : {"\x80", "\xC0\x80", "\xC1\xBF", "\xC2", "\xC2z", "\xE0\x9F\xBF",
                          "\xE1\x80", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80",
                          "\xF5\x80\x80\x80", "\xFF", "\xE1\x80z", "\xF1\x80\x80"})
    EXPECT_EQ(find_invalid_utf8("ab\xC3\xA4" + std::string(bad)), 4u) << bad;
}

}  // namespace
}  // namespace oltp20
