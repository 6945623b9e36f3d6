package guard

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strconv"
	"strings"

	"envcrypt/internal/project"
)

// Fake returns a made-up value for a key: well-formed by the key's declaration, or, if d is nil,
// of a form that suits its name. It reports whether it is what the declaration and the built-in
// rules of development accept: a pattern may be beyond it, and a declaration may contradict
// itself; what it returns then is of the right type at best.
//
// The same key gets the same value at every run, in every environment unless it is declared
// unique. Hosts, addresses and telephone numbers are of the ranges that are reserved for
// examples. No value is secret: never use one where a secret belongs.
func Fake(d *project.Declaration, key, environment string) (value string, ok bool) {
	f := faker{d: d, key: key}
	if d == nil {
		f.d = &project.Declaration{Name: key}
	} else if d.Unique {
		f.environment = environment
	}
	policy := &project.Policy{}
	f.guard = New(policy, project.Environment{Kind: project.KindDevelopment})
	for attempt := range fakeAttempts {
		candidate, ok := f.candidate(attempt)
		if ok && f.fits(candidate) {
			return candidate, true
		}
		if value == "" {
			value = candidate
		}
	}
	return value, false
}

const fakeAttempts = 40

// faker makes the values of one key.
type faker struct {
	d                *project.Declaration
	key, environment string
	guard            *Guard
	random           *rand.Rand
}

// candidate returns another value at each attempt: the declared example first.
func (f *faker) candidate(attempt int) (string, bool) {
	f.random = f.seeded(attempt)
	switch {
	case attempt == 0 && f.d.Example != "":
		return f.d.Example, true
	case len(f.d.Values) > 0:
		return f.d.Values[(f.random.IntN(len(f.d.Values))+attempt)%len(f.d.Values)], true
	case f.d.Pattern != "" && attempt%4 != 3: // at times what the type suggests fits
		return matching(f.d.Pattern, f.random, attempt*(1+f.d.MinLength/fakeAttempts))
	}
	value := f.typed()
	if f.d.Type == "" || f.d.Type == project.TypeString {
		if missing := f.d.MinLength - len(value); missing > 0 {
			filler := "-" + f.words(4)
			value += strings.Repeat(filler, 1+missing/len(filler))
		}
	}
	return value, true
}

func (f *faker) seeded(attempt int) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(f.key + "\x00" + f.environment))
	return rand.New(rand.NewPCG(h.Sum64(), uint64(attempt)))
}

// fits asks the same rules as a write to development.
func (f *faker) fits(value string) bool {
	violations, err := f.guard.declared(f.d, value)
	s := subject{key: f.key, value: value, declared: f.d}
	return err == nil && len(violations) == 0 && len(f.guard.builtin(&s)) == 0
}

// typed returns a value of the declared type, or one that suits the name.
func (f *faker) typed() string {
	switch f.d.Type {
	case project.TypeInt:
		return strconv.Itoa(1 + f.random.IntN(100))
	case project.TypeBool:
		return "true"
	case project.TypePort:
		return f.port()
	case project.TypeURL:
		return f.url()
	case project.TypeHost:
		return f.host()
	case project.TypeEmail:
		return f.email()
	case project.TypeJSON:
		return `{"example":"` + padded(f.word(nouns), f.d.MinLength) + `"}`
	case project.TypeBase64:
		return base64.StdEncoding.EncodeToString([]byte(padded("an example: "+f.words(3), f.d.MinLength)))
	case project.TypePEM:
		return f.pem()
	case project.TypeDuration:
		return strconv.Itoa(1+f.random.IntN(59)) + "s"
	}
	return f.named()
}

// padded makes s n bytes long.
func padded(s string, n int) string { return s + strings.Repeat("x", max(0, n-len(s))) }

// suggestion is what the end of a key's name says of its value.
type suggestion struct {
	endings string
	make    func(*faker) string
}

// named returns a value of a form that suits the name of the key.
func (f *faker) named() string {
	name := strings.TrimRight(strings.ToUpper(f.key), "_0123456789")
	for _, s := range []suggestion{
		{"DATABASE_URL DB_URL POSTGRES_URL POSTGRES_URI DATABASE_URI DATABASE_DSN", func(f *faker) string {
			return fmt.Sprintf("postgres://%s:fake-%s@db.example.test:5432/app", strings.ToLower(f.word(names)), f.word(nouns))
		}},
		{"REDIS_URL REDIS_URI", func(*faker) string { return "redis://cache.example.test:6379/0" }},
		{"AMQP_URL RABBITMQ_URL BROKER_URL", func(*faker) string { return "amqp://queue.example.test:5672/" }},
		{"URL URI ENDPOINT ORIGIN WEBHOOK", (*faker).url},
		{"EMAIL MAIL MAIL_FROM EMAIL_ADDRESS", (*faker).email},
		{"IP IP_ADDRESS", func(f *faker) string { return "192.0.2." + strconv.Itoa(1+f.random.IntN(254)) }},
		{"HOST HOSTNAME SERVER DOMAIN ADDR ADDRESS FQDN", (*faker).host},
		{"BROKERS SERVERS HOSTS NODES", func(*faker) string { return "one.example.test:9092,two.example.test:9092" }},
		{"PORT", (*faker).port},
		{"PHONE PHONE_NUMBER MOBILE FAX", func(f *faker) string { return fmt.Sprintf("+1-202-555-01%02d", f.random.IntN(100)) }},
		{"USER USERNAME LOGIN", func(f *faker) string { return strings.ToLower(f.word(names)) }},
		{"DATABASE DB_NAME DB DATABASE_NAME", func(*faker) string { return "app" }},
		{"PASSWORD PASSWD PASS PASSPHRASE PWD SECRET TOKEN KEY CREDENTIALS SALT PEPPER", func(f *faker) string {
			return "fake-" + f.words(4) + "-" + strconv.Itoa(1000+f.random.IntN(9000))
		}},
		{"FULL_NAME FIRST_NAME LAST_NAME DISPLAY_NAME SENDER_NAME FROM_NAME OWNER AUTHOR", func(f *faker) string {
			return f.word(names) + " " + f.word(surnames)
		}},
		{"ENABLED ENABLE DISABLED DEBUG VERBOSE", func(*faker) string { return "true" }},
		{"LOG_LEVEL", func(*faker) string { return "info" }},
		{"TIMEOUT TTL INTERVAL LIMIT COUNT SIZE MAX MIN WORKERS RETRIES THREADS", func(f *faker) string { return strconv.Itoa(1 + f.random.IntN(60)) }},
		{"PATH DIR DIRECTORY FILE", func(f *faker) string { return "/tmp/example/" + f.word(nouns) }},
		{"REGION", func(*faker) string { return "example-1" }},
	} {
		for ending := range strings.FieldsSeq(s.endings) {
			if name == ending || strings.HasSuffix(name, "_"+ending) || len(ending) > 3 && strings.HasSuffix(name, ending) {
				return s.make(f)
			}
		}
	}
	return "fake-" + f.words(2)
}

func (f *faker) url() string {
	return "https://" + f.word(nouns) + ".example.com/" + pathOf(f.d.MinLength)
}

// pathOf makes a URL long enough.
func pathOf(length int) string { return strings.Repeat("example/", length/len("example/")) }

func (f *faker) host() string { return f.word(nouns) + ".example.test" }

func (f *faker) port() string { return strconv.Itoa(10000 + f.random.IntN(50000)) }

func (f *faker) email() string {
	return strings.ToLower(f.word(names)+"."+f.word(surnames)) + strconv.Itoa(f.random.IntN(100)) + "@example.com"
}

// pem returns a block that is none of a key's or certificate's, and that no scanner takes for one.
func (f *faker) pem() string {
	var b bytes.Buffer
	content := []byte(padded("this is an example and no key: "+f.words(8), f.d.MinLength))
	_ = pem.Encode(&b, &pem.Block{Type: "EXAMPLE", Bytes: content}) // to memory
	return b.String()
}

func (f *faker) words(n int) string {
	words := make([]string, n)
	for i := range words {
		words[i] = f.word(nouns)
	}
	return strings.Join(words, "-")
}

func (f *faker) word(list string) string {
	words := strings.Fields(list)
	return words[f.random.IntN(len(words))]
}

// No library makes these: those that do link net/http, or build their tables at every start.
const (
	names    = "Alice Bruno Chloe Diego Emma Farid Grace Hugo Ines Jonas Keiko Liam Maya Nils Olga Pablo Rosa Sven Tara Yusuf"
	surnames = "Abbott Baker Castillo Dubois Eriksen Fischer Garcia Hansen Ito Jensen Kowalski Larsen Miller Novak Okafor Patel Rossi Silva Tanaka Weber"
	nouns    = "amber anchor apple arrow autumn basin birch bridge canyon cedar cloud coral crane delta ember falcon fern garden glacier harbour hazel island " +
		"ivory jasmine juniper kettle lagoon lantern linen maple meadow mirror mosaic nectar oasis olive orchard pebble pine quartz raven reef river saffron " +
		"shadow silver spruce summit thistle timber tulip valley velvet violet walnut willow winter yarrow zephyr"
)
