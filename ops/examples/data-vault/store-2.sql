\ir store.sql
