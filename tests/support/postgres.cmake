oltp20_library(tests_postgres SOURCES postgres.cc LINK PkgConfig::PQXX)
