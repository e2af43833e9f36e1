package postgres

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(parentDirVariable); dir != "" {
		os.Exit(beParent(dir))
	}
	goleak.VerifyTestMain(m)
}

// noVariables hides this machine's DATABASE_URL, PG_BIN and SALLYPORT_POSTGRES from a test.
func noVariables(string) string { return "" }

// folder is a place for a cluster that root's stand-in can enter too; t.TempDir's parents are 0700.
func folder(t *testing.T) string {
	t.Helper()
	top, err := os.MkdirTemp("/tmp", "sallyport-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(top); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(top, 0o755); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(top, "db")
}

func startTest(t *testing.T, cfg Config) *Server {
	t.Helper()
	if cfg.Getenv == nil {
		cfg.Getenv = noVariables
	}
	cfg.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	server, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return server
}

func query[T any](t *testing.T, dsn, sql string) T {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	var value T
	if err := conn.QueryRow(t.Context(), sql).Scan(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

func execute(t *testing.T, dsn, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func TestServerAnswersAndKeepsItsDataOverARestart(t *testing.T) {
	for _, source := range []Source{SourceMachine, SourceNPM} {
		t.Run(string(source), func(t *testing.T) {
			dir := folder(t)
			first := startTest(t, Config{Dir: dir, Source: source})
			if err := first.EnsureDatabase(t.Context(), "shop"); err != nil {
				t.Fatal(err)
			}
			if got := query[string](t, first.DSN("shop"), "SELECT current_database()"); got != "shop" {
				t.Errorf("connected to database %q, want shop", got)
			}
			execute(t, first.DSN("shop"), "CREATE TABLE t AS SELECT 'kept'::text AS x")
			if err := first.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			if alive(first.PID()) {
				t.Fatal("the server lives on after Stop")
			}

			second := startTest(t, Config{Dir: dir, Source: source})
			if err := second.EnsureDatabase(t.Context(), "shop"); err != nil {
				t.Fatalf("ensuring a database that exists: %v", err)
			}
			if got := query[string](t, second.DSN("shop"), "SELECT x FROM t"); got != "kept" {
				t.Errorf("after the restart: %q, want kept", got)
			}
			if got := query[string](t, second.DSN(""), "SHOW fsync"); got != "on" {
				t.Errorf("fsync = %s, want on", got)
			}
		})
	}
}

func TestClusterIsClosedToOthers(t *testing.T) {
	server := startTest(t, Config{Dir: folder(t), Throwaway: true})
	for _, path := range []string{server.Dir(), filepath.Join(server.Dir(), "data"), filepath.Join(server.Dir(), "password")} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %s: others may look in", path, info.Mode())
		}
	}
	config, err := pgx.ParseConfig(server.DSN(""))
	if err != nil {
		t.Fatal(err)
	}
	config.Password = "wrong"
	if _, err := pgx.ConnectConfig(t.Context(), config); err == nil {
		t.Error("a wrong password was accepted")
	}
}

func TestSecondServerOnTheSameFolderIsRefused(t *testing.T) {
	dir := folder(t)
	first := startTest(t, Config{Dir: dir, Throwaway: true})
	if _, err := Start(t.Context(), Config{Dir: dir, Getenv: noVariables}); !errors.Is(err, ErrInUse) {
		t.Fatalf("second start: %v, want ErrInUse", err)
	}
	if err := first.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	startTest(t, Config{Dir: dir, Throwaway: true})
}

func TestWaitReturnsWhenTheServerDiesAndItCanBeStartedAgain(t *testing.T) {
	dir := folder(t)
	first := startTest(t, Config{Dir: dir})
	execute(t, first.DSN(""), "CREATE TABLE t AS SELECT 1 AS x")
	if err := syscall.Kill(first.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := first.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	second := startTest(t, Config{Dir: dir})
	if got := query[int](t, second.DSN(""), "SELECT x FROM t"); got != 1 {
		t.Errorf("after the crash: %d, want 1", got)
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	server := startTest(t, Config{Dir: folder(t), Throwaway: true})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := server.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("Wait: %v, want context.Canceled", err)
	}
}

func TestThrowawayClusterThatDoesNotComeUpIsMadeAnew(t *testing.T) {
	dir := folder(t)
	first := startTest(t, Config{Dir: dir, Throwaway: true})
	if err := first.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(first.Dir(), "data", "global", "pg_control")); err != nil {
		t.Fatal(err)
	}
	var failed *startError
	if _, err := Start(t.Context(), Config{Dir: dir, Getenv: noVariables}); !errors.As(err, &failed) {
		t.Fatalf("start of a broken cluster that matters: %v, want an error with the server's log", err)
	}
	startTest(t, Config{Dir: dir, Throwaway: true})
}

func TestFolderThatHoldsOtherThingsIsLeftAlone(t *testing.T) {
	dir := folder(t)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "thesis.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(t.Context(), Config{Dir: dir, Getenv: noVariables}); err == nil {
		t.Fatal("a folder with other things was taken over")
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("the folder was changed: %v, %v", info.Mode(), err)
	}
}

func TestLongFolderStillHasASocket(t *testing.T) {
	dir := filepath.Join(folder(t), "a-folder-with-a-name-that-is-far-longer-than-what-fits", "into-the-address-of-a-unix-socket-together")
	startTest(t, Config{Dir: dir, Throwaway: true})
}

func TestPortIsTheOneAskedFor(t *testing.T) {
	port, err := choosePort(0)
	if err != nil {
		t.Fatal(err)
	}
	server := startTest(t, Config{Dir: folder(t), Port: port, Throwaway: true})
	config, err := pgx.ParseConfig(server.DSN(""))
	if err != nil {
		t.Fatal(err)
	}
	if int(config.Port) != port {
		t.Errorf("port %d, want %d", config.Port, port)
	}
}

func TestExternalServerIsUsedAsItIs(t *testing.T) {
	const url = "postgres://u:p%40ss@db.example:5433/main?sslmode=verify-full"
	for _, test := range []struct{ given, database, want string }{
		{url, "", url},
		{url, "other", "postgres://u:p%40ss@db.example:5433/other?sslmode=verify-full"},
		{url + "&dbname=main", "other", "postgres://u:p%40ss@db.example:5433/other?sslmode=verify-full"},
		{"host=/tmp user=u", "", "host=/tmp user=u"},
		{"host=/tmp user=u dbname=main", "o'ther", `host=/tmp user=u dbname=main dbname='o\'ther'`},
	} {
		server, err := Start(t.Context(), Config{Getenv: only("DATABASE_URL", test.given)})
		if err != nil {
			t.Fatal(err)
		}
		if got := server.DSN(test.database); got != test.want {
			t.Errorf("DSN(%q) = %s, want %s", test.database, got, test.want)
		}
		config, err := pgx.ParseConfig(server.DSN("o'ther"))
		if err != nil || config.Database != "o'ther" {
			t.Errorf("%s: pgx reads database %q, %v", server.DSN("o'ther"), config.Database, err)
		}
		if !server.External() || server.PID() != 0 || server.Stop(t.Context()) != nil {
			t.Errorf("%s: not treated as external", test.given)
		}
	}
}

func TestBadDatabaseURLIsNotRepeatedInTheError(t *testing.T) {
	_, err := Start(t.Context(), Config{Getenv: only("DATABASE_URL", "postgres://u:hunter2@[bad")})
	if err == nil || containsAny(err.Error(), "hunter2") {
		t.Fatalf("error %v: want one without the password", err)
	}
}

func only(name, value string) func(string) string {
	return func(asked string) string {
		if asked == name {
			return value
		}
		return ""
	}
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }
