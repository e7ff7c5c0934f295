// Random rows of every type that can be published, inserted by sessions with hostile settings: the
// texts that travel, read back, are the same values, bit by bit.
#include <cstring>
#include <functional>
#include <random>

#include "tests/spoke/database/fixture.h"

namespace oltp20::spoke {
namespace {

constexpr int kRounds = 4, kRows = 60;

class Values {
 public:
  explicit Values(unsigned seed) : random_(seed) {}
  std::size_t below(std::size_t n) { return random_() % n; }
  std::string pick(const std::vector<std::string>& from) { return from[below(from.size())]; }

  std::string text() {
    static const std::vector<std::string> pieces = {
        "\"",     "'",      "\\",     "\n",      "\r", "\t",         "\b",     "\f",
        "\x01",   "\x1f",   "\x7f",   "{",       "}",  "(",          ")",      ",",
        ";",      "NULL",   "null",   "$1",      "%s", "--",         "/*",     "\\u0000",
        "\\000",  " ",      "a",      "0",       "ü",  "ß",          "\u0080", "\u2028",
        "\u202e", "\ufeff", "\ufffd", "e\u0301", "😀",  "\U0010ffff", "日本"};
    std::string out;
    for (std::size_t n = below(8); n > 0; --n) out += pick(pieces);
    return "'" + replace_quotes(out) + "'";
  }
  std::string digits(std::size_t most) {
    std::string out(1 + below(most), '0');
    for (char& digit : out) digit = static_cast<char>('0' + below(10));
    return out;
  }
  std::string numeric() {
    switch (below(5)) {
      case 0:
        return pick({"'NaN'", "'Infinity'", "'-Infinity'", "0", "0.000", "-0.0"});
      case 1:
        return digits(300) + "." + digits(300);
      case 2:
        return "1e" + std::to_string(below(2000)) + "::numeric";
      case 3:
        return "1e-" + std::to_string(below(1000)) + "::numeric";
      default:
        return "-" + digits(6) + "." + digits(4);
    }
  }
  std::string real(bool wide) {
    if (below(4) == 0) return pick({"'NaN'", "'Infinity'", "'-Infinity'", "'-0'", "0", "'0.1'"});
    // Any bits that are a finite number.
    std::uint64_t bits = (std::uint64_t{random_()} << 32) | random_();
    char out[64];
    if (wide) {
      double value = 0;
      std::memcpy(&value, &bits, sizeof value);
      if (!(value - value == 0)) value = 0.1 + 0.2;
      std::snprintf(out, sizeof out, "'%.17g'", value);
    } else {
      float value = 0;
      std::memcpy(&value, &bits, sizeof value);
      if (!(value - value == 0)) value = 0.1F;
      std::snprintf(out, sizeof out, "'%.9g'", static_cast<double>(value));
    }
    return out;
  }
  std::string day() {
    if (below(5) == 0)
      return pick({"infinity", "-infinity", "0044-03-15 BC", "5874897-12-31", "4713-01-01 BC"});
    return std::to_string(1 + below(9998)).insert(0, "000") + "-" + std::to_string(1 + below(12)) +
           "-" + std::to_string(1 + below(28));
  }
  std::string moment() {
    if (below(6) == 0) return pick({"'infinity'", "'-infinity'", "'0044-03-15 12:00 BC'"});
    return "timestamp '0001-01-01' + " + std::to_string(below(9000) * 365) +
           " * interval '1 day' + " + std::to_string(random_()) + " * interval '1 microsecond'";
  }
  std::string span() {
    auto part = [&](const char* unit) {
      return std::to_string(static_cast<int>(below(4000)) - 2000) + " " + unit + " ";
    };
    return "'" + part("months") + part("days") + part("seconds") + part("microseconds") + "'";
  }
  std::string json() {
    return pick({"'null'", "'\"\"'", "'{}'", "'[]'", "'1.10'", "'{\"a\":  [1, null, true]}'",
                 "'{\"b\":1, \"a\":2, \"b\":3}'", "'\"\\u00e9\\n\"'", "'1e400'",
                 "'12345678901234567890.0123456789'", "to_json(" + text() + "::text)::text"});
  }
  std::string bytes() {
    return "decode('" + [&] {
      std::string out;
      for (std::size_t n = below(20); n > 0; --n) {
        static const char* hex = "0123456789abcdef";
        out += {hex[below(16)], hex[below(16)]};
      }
      return out;
    }() + "', 'hex')";
  }
  std::string array_of(const std::function<std::string()>& element, const std::string& type) {
    auto one = [&] { return below(4) == 0 ? std::string("null") : element(); };
    switch (below(3)) {
      case 0:
        return "'{}'";
      case 1:
        return "array[[" + one() + ", " + one() + "], [" + one() + ", " + one() + "]]::" + type +
               "[]";
      default:
        return "array[" + one() + ", " + one() + ", " + one() + "]::" + type + "[]";
    }
  }
  std::string bounded() {  // lower bounds that are not 1
    const int low = static_cast<int>(below(9)) - 4;
    return "'[" + std::to_string(low) + ":" + std::to_string(low + 1) + "][0:1]={{1,NULL},{-3," +
           digits(4) + "}}'";
  }

 private:
  static std::string replace_quotes(const std::string& in) {
    std::string out;
    for (char c : in) out += c == '\'' ? std::string("''") : std::string(1, c);
    return out;
  }
  std::mt19937 random_;
};

struct Column {
  std::string name, type;
  std::function<std::string(Values&)> value;
};

const std::vector<Column>& columns() {
  using V = Values&;
  static const std::vector<Column> all = {
      {"n", "int", nullptr},
      {"bool", "boolean",
       [](V v) {
         return v.pick({"true", "false"});
       }},
      {"i2", "smallint",
       [](V v) {
         return v.pick({"-32768", "32767", "0"});
       }},
      {"i8", "bigint",
       [](V v) {
         return v.pick({"'-9223372036854775808'", "9223372036854775807"});
       }},
      {"num", "numeric", [](V v) { return v.numeric(); }},
      {"num2", "numeric(12,3)", [](V v) { return "-" + v.digits(9) + "." + v.digits(3); }},
      {"f4", "real", [](V v) { return v.real(false); }},
      {"f8", "double precision", [](V v) { return v.real(true); }},
      {"te\"xt\\", "text", [](V v) { return v.text(); }},
      {"vc '", "varchar(30)", [](V v) { return "left(" + v.text() + ", 30)"; }},
      {"ch", "char(7)", [](V v) { return "left(" + v.text() + ", 7)"; }},
      {"name", "name", [](V v) { return v.text(); }},
      {"ts", "timestamp", [](V v) { return v.moment(); }},
      {"tz", "timestamptz", [](V v) { return v.moment(); }},
      {"d", "date", [](V v) { return "'" + v.day() + "'"; }},
      {"t", "time",
       [](V v) {
         return v.pick({"'24:00'", "'00:00'", "'12:34:56.789012'"});
       }},
      {"ttz", "timetz",
       [](V v) {
         return v.pick({"'24:00-15:59'", "'12:34:56.7+05:30'"});
       }},
      {"iv", "interval", [](V v) { return v.span(); }},
      {"js", "json", [](V v) { return v.json(); }},
      {"jb", "jsonb", [](V v) { return v.json(); }},
      {"by", "bytea", [](V v) { return v.bytes(); }},
      {"u", "uuid", [](V) { return std::string("gen_random_uuid()"); }},
      {"en", "shop.mood",
       [](V v) {
         return v.pick({"'so, \"so\"'", "'glad'", "''"});
       }},
      {"dom", "shop.few", [](V v) { return v.text(); }},
      {"comp", "shop.pair",
       [](V v) { return "row(" + v.text() + ", " + v.real(true) + ", " + v.moment() + ")"; }},
      {"tarr", "text[]",
       [](V v) { return v.below(3) ? v.array_of([&] { return v.text(); }, "text") : "'{}'"; }},
      {"farr", "double precision[]",
       [](V v) { return "array[" + v.real(true) + ", null]::float8[]"; }},
      {"barr", "int[]", [](V v) { return v.bounded(); }},
      {"byarr", "bytea[]", [](V v) { return "array[" + v.bytes() + ", " + v.bytes() + "]"; }},
      {"carr", "shop.pair[]",
       [](V v) { return "array[row(" + v.text() + ", " + v.real(true) + ", null)::shop.pair]"; }},
      {"nr", "numrange",
       [](V v) {
         return v.pick({"'empty'", "'(,)'", "'[1.10,2.0)'", "'(,NaN]'"});
       }},
      {"tr", "tstzrange",
       [](V v) {
         return v.pick({"'(-infinity,infinity]'", "'empty'", "'[2020-01-01 00:00:00.000001+02,)'"});
       }},
      {"txr", "shop.words",
       [](V v) {
         return v.pick({"'[\"a,\\\"\",b)'", "'empty'", "'(,\"\")'"});
       }},
      {"mr", "datemultirange",
       [](V v) {
         return v.pick({"'{}'", "'{[2020-01-01,2020-02-01),[2021-01-01,)}'"});
       }},
      {"ip", "inet",
       [](V v) {
         return v.pick({"'10.1.2.3'", "'::1/64'", "'10.0.0.0/8'"});
       }},
      {"net", "cidr",
       [](V v) {
         return v.pick({"'10.0.0.0/8'", "'2001:db8::/32'"});
       }},
      {"mac", "macaddr", [](V) { return std::string("'08:00:2b:01:02:03'"); }},
      {"bits", "bit varying",
       [](V v) {
         return v.pick({"B'101'", "B''", "B'00000000000'"});
       }},
      {"bit5", "bit(5)", [](V) { return std::string("B'00101'"); }},
      {"pt", "point", [](V v) { return "point(" + v.real(true) + ", " + v.real(true) + ")"; }},
      {"pg", "polygon", [](V) { return std::string("'((0.1,0.2),(0.30000000000000004,1e300))'"); }},
      {"tsv", "tsvector", [](V) { return std::string("$$'a '' \\\\ b':1A,2 'c'$$"); }},
      {"xid", "xid8", [](V) { return std::string("'18446744073709551615'"); }},
      {"lsn", "pg_lsn", [](V) { return std::string("'FFFFFFFF/1'"); }},
      {"ünï 😀", "oid", [](V) { return std::string("4294967295"); }},
  };
  return all;
}

class PublishedValuesTest : public DatabaseTest {
 protected:
  std::string hostile(Values& v) const {
    std::string out;
    auto set = [&](const std::string& name, const std::vector<std::string>& values) {
      out += "set " + name + " = " + v.pick(values) + ";";
    };
    set("extra_float_digits", {"-15", "0", "3"});
    set("DateStyle", {"'SQL, DMY'", "'German'", "'Postgres, MDY'", "'ISO, YMD'"});
    set("IntervalStyle", {"sql_standard", "postgres_verbose", "iso_8601"});
    set("bytea_output", {"escape", "hex"});
    set("TimeZone", {"'Asia/Kolkata'", "'America/St_Johns'", "'<X>+12:34'"});
    set("search_path", {"''", "hostile, pg_catalog", "pg_temp, hostile, shop"});
    set("standard_conforming_strings", {"off", "on"});
    set("check_function_bodies", {"off", "on"});
    set("quote_all_identifiers", {"off", "on"});
    set("transform_null_equals", {"off", "on"});
    set("array_nulls", {"off", "on"});
    set("plan_cache_mode", {"force_custom_plan", "force_generic_plan", "auto"});
    set("escape_string_warning", {"off"});
    return out;
  }
};

TEST_F(PublishedValuesTest, EveryTypeComesOutAsItWentIn) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Values v(seed);
  sql("create schema shop; create schema hostile; "
      "create function hostile.json_object(text[], text[]) returns json language sql as "
      "$$ select '{}'::json $$; create type shop.mood as enum ('so, \"so\"', 'glad', ''); "
      "create domain shop.few as text check (length(value) < 100); "
      "create type shop.pair as (a text, \"b c\" float8, c timestamptz); "
      "create type shop.words as range (subtype = text, collation = \"C\")");
  pqxx::connection pinned(admin_url());
  pqxx::nontransaction run(pinned);
  run.exec("set TimeZone = 'UTC'; set extra_float_digits = 3");
  std::string list;
  for (const Column& column : columns())
    list += (list.empty() ? "" : ", ") + run.quote_name(column.name) + " " + column.type;
  run.exec("create table shop.source (" + list + ")");
  for (int round = 0; round < kRounds; ++round) {
    run.exec("truncate shop.source");
    for (int row = 0; row < kRows; ++row) {
      std::string values = std::to_string(row);
      for (const Column& column : columns())
        if (column.value)
          values += ", " + (v.below(8) == 0 ? std::string("null")
                                            : "(" + column.value(v) + ")::" + column.type);
      run.exec("insert into shop.source values (" + values + ")");
    }
    const std::string type = "round." + std::to_string(round);
    run.exec("create table shop.sent_" + std::to_string(round) + " (like shop.source)");
    const std::string sent = "shop.sent_" + std::to_string(round);
    // One row a statement goes another way through a table with row triggers.
    if (round % 2 == 1)
      run.exec("create function shop.nothing_" + std::to_string(round) +
               "() returns trigger language plpgsql as $$ begin return null; end $$; "
               "create trigger a after insert on " +
               sent + " for each row execute function shop.nothing_" + std::to_string(round) +
               "()");
    sql(hostile(v) + "select oltp20.publish_table('" + sent + "', '" + type + "');" + hostile(v) +
        "insert into " + sent + " select * from shop.source order by 1;");
    ASSERT_EQ(
        run.exec1("select count(*) from message.outgoing where type = '" + type + "'")[0].as<int>(),
        kRows);
    run.exec(
        "drop table if exists arrived; create temp table arrived as select (payload::json ->> "
        "'n')::int as n, payload::json as p from message.outgoing where type = '" +
        type + "'");
    ASSERT_EQ(run.exec1("select count(*) from arrived join shop.source using (n)")[0].as<int>(),
              kRows);
    for (const Column& column : columns()) {
      const std::string read = "(o.p ->> " + run.quote(column.name) + ")::" + column.type,
                        original = "s." + run.quote_name(column.name);
      pqxx::result wrong =
          run.exec("select " + original + "::text, o.p ->> " + run.quote(column.name) +
                   " from shop.source s join arrived o using (n) where " + original +
                   "::text is distinct from " + read + "::text or not record_image_eq(row(" +
                   original + "), row(" + read + ")) limit 1");
      EXPECT_TRUE(wrong.empty()) << column.name << " " << column.type << ": " << wrong[0][0].c_str()
                                 << " travels as " << wrong[0][1].c_str();
    }
  }
}

}  // namespace
}  // namespace oltp20::spoke
