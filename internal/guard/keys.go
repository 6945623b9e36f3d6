package guard

import "strings"

// keyShape is how a provider's keys look that are for one of live and test.
type keyShape struct {
	provider string
	live     bool
	prefix   string
	least    int // alphanumeric characters that follow, at least
}

// keyShapes are the keys that say themselves whether they are live: no others are here, as no
// one can tell. The long ones have a prefix that other texts have, too.
var keyShapes = [...]keyShape{
	{"Stripe and others", true, "sk_live_", 1}, // Paystack, Clerk, PayMongo, Yoco
	{"Stripe and others", true, "rk_live_", 1},
	{"Stripe and others", true, "pk_live_", 1},
	{"Stripe and others", false, "sk_test_", 1},
	{"Stripe and others", false, "rk_test_", 1},
	{"Stripe and others", false, "pk_test_", 1},
	{"Mollie and others", true, "live_", 26}, // Adyen's client keys, Lob, Paddle, Chargebee
	{"Mollie and others", false, "test_", 26},
	{"Razorpay", true, "rzp_live_", 1},
	{"Razorpay", false, "rzp_test_", 1},
	{"Square", true, "sq0atp-", 10},
	{"Square", true, "sq0csp-", 10},
	{"Square", true, "sq0idp-", 10},
	{"Square", false, "sandbox-sq0atb-", 10},
	{"Square", false, "sandbox-sq0csb-", 10},
	{"Square", false, "sandbox-sq0idb-", 10},
	{"Braintree", true, "access_token$production$", 1},
	{"Braintree", false, "access_token$sandbox$", 1},
	{"Checkout.com", false, "sk_sbox_", 10},
	{"Checkout.com", false, "pk_sbox_", 10},
	{"Plaid", true, "access-production-", 8},
	{"Plaid", true, "public-production-", 8},
	{"Plaid", true, "link-production-", 8},
	{"Plaid", true, "processor-production-", 8},
	{"Plaid", false, "access-sandbox-", 8},
	{"Plaid", false, "public-sandbox-", 8},
	{"Plaid", false, "link-sandbox-", 8},
	{"Plaid", false, "processor-sandbox-", 8},
	{"Flutterwave", true, "FLWSECK-", 10},
	{"Flutterwave", true, "FLWPUBK-", 10},
	{"Flutterwave", false, "FLWSECK_TEST-", 10},
	{"Flutterwave", false, "FLWPUBK_TEST-", 10},
	{"Xendit", true, "xnd_production_", 10},
	{"Xendit", true, "xnd_public_production_", 10},
	{"Xendit", false, "xnd_development_", 10},
	{"Xendit", false, "xnd_public_development_", 10},
	{"Midtrans", true, "Mid-server-", 10},
	{"Midtrans", true, "Mid-client-", 10},
	{"Midtrans", false, "SB-Mid-server-", 10},
	{"Midtrans", false, "SB-Mid-client-", 10},
	{"Klarna", true, "klarna_live_api_", 10},
	{"Klarna", false, "klarna_test_api_", 10},
	{"Paddle", true, "pdl_live_apikey_", 10},
	{"Paddle", false, "pdl_sdbx_apikey_", 10},
	{"Shippo", true, "shippo_live_", 10},
	{"Shippo", false, "shippo_test_", 10},
	{"EasyPost", true, "EZAK", 50},
	{"EasyPost", false, "EZTK", 50},
	{"Duffel", true, "duffel_live_", 10},
	{"Duffel", false, "duffel_test_", 10},
	{"Lob", true, "live_pub_", 20},
	{"Lob", false, "test_pub_", 20},
	{"Persona", true, "persona_production_", 8},
	{"Persona", false, "persona_sandbox_", 8},
}

// findKey finds a live key, or a test key, anywhere in a value, and returns whose it is.
func findKey(value string, live bool) (provider string, found bool) {
	if !mayBeKey(value, live) {
		return "", false
	}
	for i := range keyShapes {
		if shape := &keyShapes[i]; shape.live == live && shape.in(value) {
			return shape.provider, true
		}
	}
	return "", false
}

// in reports whether a value contains such a key: with nothing in front of it that makes the
// prefix the end of another word.
func (k *keyShape) in(value string) bool {
	for at := 0; ; {
		i := strings.Index(value[at:], k.prefix)
		if i < 0 {
			return false
		}
		start := at + i
		at = start + len(k.prefix)
		if start > 0 && (isAlphanumeric(value[start-1]) || strings.IndexByte("_-", value[start-1]) >= 0) {
			continue
		}
		n := 0
		for n < k.least && at+n < len(value) && isAlphanumeric(value[at+n]) {
			n++
		}
		if n == k.least {
			return true
		}
	}
}
