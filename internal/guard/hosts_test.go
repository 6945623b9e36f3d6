package guard

import (
	"slices"
	"strings"
	"testing"
)

func TestHosts(t *testing.T) {
	const aloneMark = "alone:"
	for value, want := range map[string]string{
		// URLs
		"postgres://u:p@prod-db:5432/x":                         "prod-db",
		"postgres://u:p@h1,h2/db":                               "h1 h2",
		"mongodb://a:1,b:2/x":                                   "a b",
		"mongodb://u:p@a:1,b:2/x?replicaSet=prod":               "a b",
		"mongodb+srv://u:p%40prod@cluster.prod.example.net/x":   "cluster.prod.example.net",
		"https://Example.COM./path/prod?x=prod#prod":            "example.com",
		"https://login.example.com/?to=https://prod.example":    "login.example.com",
		"https://example.com/?host=prod":                        "example.com",
		"https://medium.example/@prod":                          "medium.example",
		"http://[2001:DB8::1]:80/":                              "2001:db8::1",
		"http://[fe80::1%25eth0]/":                              "fe80::1",
		"redis://:secret@cache:6379/0":                          "cache",
		"rediss://cache":                                        "cache",
		"amqp://guest:guest@rabbit/vhost":                       "rabbit",
		"amqps://b-1.mq.example.com:5671":                       "b-1.mq.example.com",
		"ldap://ldap.example.com/dc=prod":                       "ldap.example.com",
		"smtp://user:pw@mail:587":                               "mail",
		"smtp://u:p/w@prod-mail:587/x":                          "prod-mail",
		"postgres://u:p@w@prod-db/x":                            "prod-db",
		"postgres://u:p;w@prod-db/x":                            "prod-db u",
		"postgres://u:p@prod%2Ddb/x":                            "prod-db",
		"postgres:///x?host=prod-db":                            "prod-db",
		"mysql://u:p@tcp(prod-db:3306)/x":                       "prod-db",
		"mysql://u:p@tcp(prod-db)/x":                            "prod-db",
		"mysql://u:p@tcp6([2001:db8::1]:3306)/x":                "2001:db8::1",
		"postgres://%2Fvar%2Frun%2Fprod/x":                      "",
		"postgresql://u@/x?host=/var/run/prod&hostaddr=1.2.3.4": "1.2.3.4",
		"postgres://bücher.example/x":                           "bücher.example",
		"http://xn--bcher-kva.example/":                         "xn--bcher-kva.example",
		"http://ｐｒｏｄ。example/":                                  "prod.example",
		"unix:///var/run/prod.sock":                             "",
		"unix:/var/run/prod.sock":                               "",
		"sqlite://prod.db":                                      "",
		"file:///srv/prod/data":                                 "",
		"s3://prod-bucket/x":                                    "prod-bucket",
		"C://prod/x":                                            "",
		"https://a.example,https://b.example":                   "a.example b.example",
		"see https://prod.example.com, and (http://b.test/x).":  "b.test prod.example.com",
		"'https://a.example/x' 'https://b.example'":             "a.example b.example",
		// JDBC
		"jdbc:postgresql://prod-db:5432/x":                             "prod-db",
		"jdbc:mysql://h1:3306,h2:3306/db?useSSL=false":                 "h1 h2",
		`jdbc:sqlserver://prod\instance:1433;databaseName=x`:           "prod",
		"jdbc:sqlserver://prod:1433;user=a;password=p@ss":              "prod ss",
		"jdbc:sqlserver://;serverName=prod-sql;databaseName=x":         "prod-sql",
		"jdbc:oracle:thin:@//prod-ora:1521/x":                          "prod-ora",
		"jdbc:oracle:thin:@prod-ora:1521:sid":                          "prod-ora",
		"jdbc:oracle:thin:scott/tiger@prod-ora:1521/x":                 "prod-ora",
		"jdbc:oracle:thin:@prod-ora":                                   "prod-ora",
		"jdbc:oracle:thin:@(DESCRIPTION=(ADDRESS=(HOST=ora)(PORT=1)))": "ora",
		"jdbc:mysql://address=(host=my)(port=3306)/db":                 "address my",
		// DSNs
		"user:pw@tcp(prod:3306)/db":                         "prod",
		"user:pw@tcp(prod)/db":                              "prod",
		"user:p:ss/w(rd@tcp([2001:db8::1]:3306)/db?a=b":     "2001:db8::1",
		"user:pw@unix(/tmp/prod.sock)/db":                   "",
		"host=prod-db port=5432":                            "prod-db",
		"host = 'prod-db' user=prod":                        "prod-db",
		"host=a,b port=1,2":                                 "a b",
		"dbname=prod user=prod":                             "",
		"host=/var/run/postgresql dbname=prod":              "",
		"hostaddr=10.0.0.1 host=::1":                        "10.0.0.1 ::1",
		"Server=prod;Database=x":                            "prod",
		`SERVER=prod\SQLEXPRESS;Database=x`:                 "prod",
		`Server=.\SQLEXPRESS;Database=prod`:                 "localhost",
		"Server=(localdb)/x;Database=prod":                  "localhost",
		"Data Source=tcp:prod,1433;Initial Catalog=x":       "prod",
		"Server = tcp:prod.database.windows.net,1433;":      "prod.database.windows.net",
		"Data Source=prod.db;Version=3":                     "",
		"Data Source=app.data.sqlite":                       "",
		"Addr=prod-1;":                                      "prod-1",
		"Endpoint=sb://prod.servicebus.windows.net/;Key=k=": "prod.servicebus.windows.net",
		"prod.redis.example.net:6380,password=x=,ssl=True":  "prod.redis.example.net",
		"DB_HOST=prod\nDB_PORT=1":                           "prod",
		// lists and words
		"prod-1:9092,prod-2:9092":            "prod-1 prod-2",
		"a.example.com b.example.com":        "a.example.com b.example.com",
		"localhost,127.0.0.1,[::1]":          "127.0.0.1 ::1 localhost",
		"10.0.0.1":                           "10.0.0.1",
		"2001:db8::1":                        "2001:db8::1",
		"::1":                                "::1",
		"[::1]:8080":                         "::1",
		"0.0.0.0:8080":                       "0.0.0.0",
		"PROD-DB:5432":                       "prod-db",
		"prod-db.":                           "",
		aloneMark + "prod-db.":               "prod-db",
		"db.production.internal":             "db.production.internal",
		"db.production.internal/path":        "db.production.internal",
		"*.prod.example.com":                 "prod.example.com",
		"//cdn.prod.example/x":               "cdn.prod.example",
		`\\files.prod.example\share`:         "files.prod.example",
		"alice@prod.example.com":             "prod.example.com",
		"git@prod-git:repo.git":              "prod-git",
		"scott:tiger@prod-db/x":              "prod-db",
		"deploy@prod":                        "",
		aloneMark + "deploy@prod":            "prod",
		aloneMark + "prod":                   "prod",
		aloneMark + "prod-1, prod-2":         "prod-1 prod-2",
		aloneMark + "db.production":          "db.production",
		aloneMark + "the production servers": "",
		aloneMark + "5432":                   "",
		`{"host":"prod-db","name":"prod","nested":{"urls":["http:\/\/a.example\/x"],"port":1}}`: "a.example prod-db",
		`["prod-1:9092","prod-2:9092"]`:       "prod-1 prod-2",
		`"localhost"`:                         "localhost",
		`{"config":"{\"host\":\"prod-db\"}"}`: "prod-db",
		"tcp:prod-db.corp.example,1433":       "prod-db.corp.example",
		"tcp:prod-db:1433":                    "prod-db",
		"tcp:5432":                            "",
		// none
		"":                                   "",
		"prod":                               "",
		"this is production, at 12:30 today": "",
		"Never use prod. It is live.":        "",
		"1.2.3-prod":                         "",
		"v1.2.3":                             "",
		"127.5":                              "",
		"http://127.1/":                      "127.1",
		"0":                                  "",
		"prod.1":                             "",
		"app.settings.production":            "",
		"config.production.json":             "",
		"./config/prod.example/app.yaml":     "",
		"/etc/prod.conf":                     "",
		`C:\prod\x`:                          "",
		"cHJvZC1kYg==":                       "",
		"//prod8AAQ+/x==":                    "",
		"registry/prod-app@sha256:0123":      "",
		"arn:aws:sns:eu-west-1:123456789012:prod": "",
		"0 3 * * 1-5":                              "",
		"2026-01-02T03:04:05Z":                     "",
		"aa:bb:cc:dd:ee:ff":                        "",
		"-----BEGIN X-----\nprod\n-----END X-----": "",
		"prod=true":                                "",
		"<prod>":                                   "",
		"://":                                      "",
		"@":                                        "",
		"[":                                        "",
		"\xff\xfe.com":                             "",
	} {
		text, alone := strings.CutPrefix(value, aloneMark)
		if got := strings.Join(Hosts(text, alone), " "); got != want {
			t.Errorf("%s: %q, want %q", value, got, want)
		}
	}
}

func TestProductionHosts(t *testing.T) {
	for host, want := range map[string]bool{
		"prod-db": true, "db.production.internal": true, "prd2-cache": true, "prod": true, "prod01.example": true, "a_prd_b": true, "x.prod": true,
		"product-catalog.dev.internal": false, "reproduce.local": false, "productive.example": false, "prods": false, "2prod": false,
		"prod2a": false, "nonprod": false, "prodigy.example": false, "production-like.example": true, "pre-prod.example": true,
		"xn--bcher-kva.example": false, "10.0.0.1": false, "": false,
	} {
		if got := isProductionHost(host); got != want {
			t.Errorf("%s: %t", host, got)
		}
	}
}

func TestLocalHosts(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "app.localhost": true, "127.0.0.1": true, "127.8.9.10": true, "127.1": true, "::1": true, "::ffff:127.0.0.1": true,
		"0.0.0.0": true, "::": true, "host.docker.internal": true, "localhost.localdomain": true, "0": true,
		"localhost.example.com": false, "mylocalhost": false, "128.0.0.1": false, "127.example.com": false, "printer.local": false, "10.0.0.1": false,
	} {
		if got := isLocalHost(host); got != want {
			t.Errorf("%s: %t", host, got)
		}
	}
}

func TestNamesOfHosts(t *testing.T) {
	for key, want := range map[string]bool{
		"HOST": true, "DB_HOST": true, "PGHOST": true, "API_URL": true, "SMTP_SERVER": true, "SERVER_NAME": true, "BROKERS_2": true, "redis_addr": true,
		"SERVER_MODE": false, "HOST_ENV": false, "ENVIRONMENT": false, "DB_NAME": false, "URL_SCHEME": false,
	} {
		if namesHost(key) != want {
			t.Errorf("%s: %t", key, !want)
		}
	}
	if !namesListener("HTTP_LISTEN_ADDR") || !namesListener("BIND") || namesListener("BINDER_HOST") {
		t.Error("listeners")
	}
}

// TestHostsOfLargeValues: what takes quadratic time does not end here.
func TestHostsOfLargeValues(t *testing.T) {
	const size = 1 << 19
	for _, piece := range []string{
		"a", ",", "=", "host=", "host=\"", " =", "a://", "a://b,", "://", "@", "a@", "[", "(", "tcp(", "a.", "prod:1,", "a:1 ", "{", "[\"", "%41", "é", "|a", "http://a@b;",
		"host=a,", "\\", "//", "x=y;", "eyJ", "sk_live_", "password=", "-----BEGIN ", "$", "AKIA",
	} {
		value := strings.Repeat(piece, size/len(piece))
		findHosts(value, true)
		findKey(value, true)
		LooksSecret("A_TOKEN", value)
		isPlaceholder(value)
		isURL(value)
		isPEM(value)
	}
}

// FuzzHosts: whatever a value is, what is found is clean, and is found again in a URL.
func FuzzHosts(f *testing.F) {
	for _, value := range []string{"postgres://u:p@h1,h2/db", "u:p@tcp(x:1)/d", "Server=(local);", `{"host":"a"}`, "jdbc:oracle:thin:@//h:1/x", "[::1%a]:1", "%2e%2E"} {
		f.Add(value, true)
	}
	f.Fuzz(func(t *testing.T, value string, alone bool) {
		for _, host := range Hosts(value, alone) {
			inURL := host
			if strings.Contains(host, ":") {
				inURL = "[" + host + "]"
			} else if !isHost(host) || host != cleanHost(host) {
				t.Fatalf("%q is no host", host)
			}
			if again := Hosts("x1://"+inURL+"/x", false); !slices.Equal(again, []string{host}) {
				t.Fatalf("%q in a URL is %q", host, again)
			}
		}
		isProductionHost(value)
		LooksSecret("X", value)
		findKey(value, alone)
		isPlaceholder(value)
		for _, is := range []func(string) bool{isURL, isBareHost, isEmail, isPEM, isBase64, isDuration} {
			is(value)
		}
	})
}
