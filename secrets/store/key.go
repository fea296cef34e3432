package store

import (
	"bytes"
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"filippo.io/age"

	"github.com/chitin-sh/chitin/internal/securefile"
	"github.com/chitin-sh/chitin/secrets"
	"github.com/chitin-sh/chitin/secrets/keyring"
	"github.com/chitin-sh/chitin/secrets/securepath"
)

// KeyFileName is the key's name inside the state directory.
const KeyFileName = "secrets.key"

// PassphraseVar is the variable that holds the passphrase of the key.
const PassphraseVar = "CHITIN_STORE_PASSPHRASE"

// minPassphrase is the fewest characters a passphrase may have.
const minPassphrase = 12

// ErrNoKey is returned when there is no key yet.
var ErrNoKey = errors.New("the store has no key yet")

// keys are what the identity gives: the age key and the one for the index.
type keys struct {
	id    *age.X25519Identity
	index []byte
}

func newKeys(id *age.X25519Identity) (*keys, error) {
	index, err := hkdf.Key(sha256.New, []byte(id.String()), nil, "chitin secret store index v1", 32)
	if err != nil {
		return nil, fmt.Errorf("derive index key: %w", err)
	}
	return &keys{id: id, index: index}, nil
}

// keeper is where the identity is kept.
type keeper interface {
	load(ctx context.Context) (*age.X25519Identity, error) // ErrNoKey when there is none
	save(ctx context.Context, id *age.X25519Identity) error
}

func newKeeper(o Options) (keeper, error) {
	path := o.Config.KeyFile
	if path == "" {
		path = filepath.Join(o.Dir, KeyFileName)
	}
	switch o.Config.Key {
	case "", "file":
		return fileKeeper{path}, nil
	case "keyring":
		sum := sha256.Sum256([]byte(o.Dir))
		return ringKeeper{"store-key-" + hex.EncodeToString(sum[:8])}, nil
	case "passphrase":
		pass := ""
		if o.Getenv != nil {
			pass = o.Getenv(PassphraseVar)
		}
		if len(pass) < minPassphrase {
			return nil, fmt.Errorf("secrets.store.key is passphrase: set %s to at least %d characters", PassphraseVar, minPassphrase)
		}
		return passKeeper{path, pass, o.workFactor}, nil
	}
	return nil, fmt.Errorf("secrets.store.key: %q is none of file, keyring, passphrase", o.Config.Key)
}

type fileKeeper struct{ path string }

func (k fileKeeper) load(ctx context.Context) (*age.X25519Identity, error) {
	data, err := readKey(ctx, k.path)
	if err != nil {
		return nil, err
	}
	defer securepath.Wipe(data)
	return parseIdentity(data)
}

func (k fileKeeper) save(_ context.Context, id *age.X25519Identity) error {
	return writeKey(k.path, []byte(id.String()+"\n"))
}

type ringKeeper struct{ user string }

func (k ringKeeper) load(ctx context.Context) (*age.X25519Identity, error) {
	v, err := keyring.Get(ctx, "", k.user)
	if errors.Is(err, keyring.ErrNotFound) || (err == nil && v.IsZero()) {
		return nil, ErrNoKey
	}
	if err != nil {
		return nil, fmt.Errorf("key of the store: %w", err)
	}
	return parseIdentity([]byte(v.Reveal()))
}

func (k ringKeeper) save(ctx context.Context, id *age.X25519Identity) error {
	return keyring.Set(ctx, "", k.user, secrets.NewValue(id.String()))
}

// passKeeper keeps the identity in a file that the passphrase encrypts.
type passKeeper struct {
	path, pass string
	workFactor int
}

func (k passKeeper) load(ctx context.Context) (*age.X25519Identity, error) {
	data, err := readKey(ctx, k.path)
	if err != nil {
		return nil, err
	}
	id, err := age.NewScryptIdentity(k.pass)
	if err != nil {
		return nil, fmt.Errorf("passphrase: %w", err)
	}
	id.SetMaxWorkFactor(20)
	r, err := age.Decrypt(bytes.NewReader(data), id)
	if err != nil {
		return nil, errors.New("the key file does not open with this passphrase")
	}
	plain, err := io.ReadAll(io.LimitReader(r, 4096))
	if err != nil {
		return nil, errors.New("the key file is damaged")
	}
	defer securepath.Wipe(plain)
	return parseIdentity(plain)
}

func (k passKeeper) save(_ context.Context, id *age.X25519Identity) error {
	to, err := age.NewScryptRecipient(k.pass)
	if err != nil {
		return fmt.Errorf("passphrase: %w", err)
	}
	if k.workFactor > 0 {
		to.SetWorkFactor(k.workFactor)
	}
	var buf bytes.Buffer
	if err := encryptTo(&buf, to, []byte(id.String())); err != nil {
		return err
	}
	return writeKey(k.path, buf.Bytes())
}

func readKey(ctx context.Context, path string) ([]byte, error) {
	data, err := securepath.Read(ctx, path, securepath.Rules{MaxBytes: 64 << 10})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoKey
	}
	if err != nil {
		return nil, fmt.Errorf("key of the store: %w", err)
	}
	return data, nil
}

func writeKey(path string, data []byte) error {
	if _, err := os.Lstat(path); err == nil {
		return securefile.Write(path, data)
	}
	return securefile.Create(path, data)
}

func parseIdentity(data []byte) (*age.X25519Identity, error) {
	id, err := age.ParseX25519Identity(string(bytes.TrimSpace(data)))
	if err != nil {
		return nil, errors.New("the key of the store is damaged: it is not an age identity")
	}
	return id, nil
}

func encryptTo(w io.Writer, to age.Recipient, plain []byte) error {
	enc, err := age.Encrypt(w, to)
	if err == nil {
		if _, err = enc.Write(plain); err == nil {
			err = enc.Close()
		}
	}
	if err != nil {
		return fmt.Errorf("encrypt: %w", err)
	}
	return nil
}
