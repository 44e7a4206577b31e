// Package dbtest starts a real MariaDB, MySQL or PostgreSQL server for tests, without a
// container, a fixed port or any setup. The server listens on a Unix socket in a
// temporary directory, which is in memory if /dev/shm exists. It starts in about a
// second, and ends with the test process, also if that is killed.
//
//	dsn := dbtest.Database(t, "parseTime=true")
//	db, err := sql.Open("mysql", dsn)
//
// The package needs mariadbd or mysqld on this machine:
//
//	apt-get install mariadb-server-core
//
// The environment variable SESSIONKIT_TEST_MYSQLD contains the path of another program:
// that of Oracle MySQL, for example, which .ci/mysql fetches. No other one is started then.
//
// Alternatively, the environment variable SESSIONKIT_TEST_MYSQL contains the DSN of a
// server and of an account that may create databases:
// root:secret@tcp(127.0.0.1:3306)/ . Tests that stop their server start one all the same,
// and fail if its version is not that of the DSN.
//
// Without a server, a test fails. It is never skipped, because a skipped test would hide
// that the database was not tested. Each test binary logs the version of its server.
//
// PostgresDatabase does the same with PostgreSQL from the Debian package postgresql,
// or with the server in SESSIONKIT_TEST_POSTGRES: postgres://postgres@127.0.0.1/postgres .
// As root it runs that server as nobody, because PostgreSQL refuses to run as root.
// StartPostgres starts a server that a test stops, kills or freezes.
package dbtest
