package keyring_test

import (
	"errors"
	"testing"

	zk "github.com/zalando/go-keyring"

	"github.com/chitin-sh/chitin/secrets"
	"github.com/chitin-sh/chitin/secrets/keyring"
)

func TestKeyring(t *testing.T) {
	zk.MockInit()
	if err := keyring.Set(t.Context(), "", "gateway", secrets.NewValue("from the keyring")); err != nil {
		t.Fatal(err)
	}
	got := (&keyring.Provider{}).Resolve(t.Context(), []string{"gateway", "absent"})
	if got["gateway"].Value.Reveal() != "from the keyring" {
		t.Errorf("got %v", got["gateway"])
	}
	if got["absent"].Err == nil || got["absent"].Err.Code != secrets.CodeNotFound {
		t.Errorf("absent: %v", got["absent"])
	}
	zk.MockInitWithError(errors.New("locked"))
	got = (&keyring.Provider{}).Resolve(t.Context(), []string{"gateway"})
	if got["gateway"].Err == nil || got["gateway"].Err.Code != secrets.CodeProviderError {
		t.Errorf("locked: %v", got["gateway"])
	}
}
