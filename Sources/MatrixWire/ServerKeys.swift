import PresenceModel

/// The signing keys that a server publishes: the answer to `GET /_matrix/key/v2/server`.
///
/// Spec: server-server API, publishing keys.
public struct ServerKeys: Hashable, Sendable {
    /// Most keys in either list, and most signatures.
    public static let listLimit = 32

    /// A key that signs now.
    public struct VerifyKey: Hashable, Sendable {
        /// Its name.
        public var id: SigningKeyID
        /// The raw public key, 32 bytes.
        public var key: [UInt8]

        /// A key that signs now.
        public init(id: SigningKeyID, key: [UInt8]) {
            self.id = id
            self.key = key
        }
    }

    /// A key that signed once. Good for events, never for requests.
    public struct OldVerifyKey: Hashable, Sendable {
        /// Its name.
        public var id: SigningKeyID
        /// The raw public key, 32 bytes.
        public var key: [UInt8]
        /// When it last signed.
        public var expired: Instant

        /// A key that signed until `expired`.
        public init(id: SigningKeyID, key: [UInt8], expired: Instant) {
            self.id = id
            self.key = key
            self.expired = expired
        }
    }

    /// A signature of the document.
    public struct Signature: Hashable, Sendable {
        /// Who signed: the server itself, or a notary.
        public var server: ServerName
        /// With which key.
        public var keyID: SigningKeyID
        /// The raw signature, 64 bytes.
        public var signature: [UInt8]

        /// A signature of 64 bytes.
        public init(server: ServerName, keyID: SigningKeyID, signature: [UInt8]) {
            self.server = server
            self.keyID = keyID
            self.signature = signature
        }
    }

    /// Whose keys.
    public var serverName: ServerName
    /// In document order.
    public var verifyKeys: [VerifyKey]
    /// In document order.
    public var oldVerifyKeys: [OldVerifyKey]
    /// Until when the document may be used, if it is not fetched anew before.
    public var validUntil: Instant
    /// In document order.
    public var signatures: [Signature]
    /// Keys and signatures that were left out: not Ed25519, not base64 of the right length, or without a good name.
    public private(set) var skippedCount = 0

    /// A document of our own; ``signatures`` are made over ``CanonicalJSON/signingBytes(ofObject:)`` of it.
    public init(
        serverName: ServerName, verifyKeys: [VerifyKey], oldVerifyKeys: [OldVerifyKey] = [], validUntil: Instant,
        signatures: [Signature] = []
    ) {
        self.serverName = serverName
        self.verifyKeys = verifyKeys
        self.oldVerifyKeys = oldVerifyKeys
        self.validUntil = validUntil
        self.signatures = signatures
    }

    /// The key that signs under `id`.
    public func verifyKey(_ id: SigningKeyID) -> [UInt8]? { verifyKeys.first { $0.id == id }?.key }
}

/// Why a key document cannot be used at all.
public enum ServerKeysError: Error, Hashable, Sendable {
    /// A required member is not there or of the wrong kind.
    case malformed(String)
    /// More than ``ServerKeys/listLimit`` keys or signatures in the member that is named.
    case tooMany(String)
}

extension ServerKeys {
    /// Takes what is good in the document; whether the signatures are right is for the caller to find out.
    ///
    /// - Throws: ``ServerKeysError``, naming the member.
    public init(decoding value: JSONValue) throws(ServerKeysError) {
        guard let document = value.object else { throw .malformed("") }
        guard let name = document["server_name"]?.string, let serverName = try? ServerName(parsing: name) else {
            throw .malformed("server_name")
        }
        guard let validUntil = document["valid_until_ts"]?.integer else { throw .malformed("valid_until_ts") }
        guard let verifyKeys = document["verify_keys"]?.object else { throw .malformed("verify_keys") }
        self.init(
            serverName: serverName, verifyKeys: [], validUntil: Instant.epoch.advanced(byMilliseconds: validUntil))
        try decodeKeys(verifyKeys)
        if let value = document["old_verify_keys"] { try decodeOldKeys(value) }
        if let value = document["signatures"] { try decodeSignatures(value) }
    }

    private mutating func decodeKeys(_ keys: JSONObject) throws(ServerKeysError) {
        guard keys.count <= ServerKeys.listLimit else { throw .tooMany("verify_keys") }
        for member in keys.members {
            guard let id = ServerKeys.keyID(member.key), let key = ServerKeys.key(member.value) else {
                skippedCount += 1
                continue
            }
            verifyKeys.append(VerifyKey(id: id, key: key))
        }
    }

    private mutating func decodeOldKeys(_ value: JSONValue) throws(ServerKeysError) {
        guard let keys = value.object else { throw .malformed("old_verify_keys") }
        guard keys.count <= ServerKeys.listLimit else { throw .tooMany("old_verify_keys") }
        for member in keys.members {
            guard let id = ServerKeys.keyID(member.key), let key = ServerKeys.key(member.value),
                let expired = member.value["expired_ts"]?.integer
            else {
                skippedCount += 1
                continue
            }
            let instant = Instant.epoch.advanced(byMilliseconds: expired)
            oldVerifyKeys.append(OldVerifyKey(id: id, key: key, expired: instant))
        }
    }

    private mutating func decodeSignatures(_ value: JSONValue) throws(ServerKeysError) {
        guard let servers = value.object else { throw .malformed("signatures") }
        guard servers.members.reduce(0, { $0 + ($1.value.object?.count ?? 1) }) <= ServerKeys.listLimit else {
            throw .tooMany("signatures")
        }
        for server in servers.members {
            guard let name = try? ServerName(parsing: server.key), let keys = server.value.object else {
                skippedCount += 1
                continue
            }
            for member in keys.members {
                guard let id = ServerKeys.keyID(member.key), let text = member.value.string,
                    let signature = Base64.decode(text), signature.count == 64
                else {
                    skippedCount += 1
                    continue
                }
                signatures.append(Signature(server: name, keyID: id, signature: signature))
            }
        }
    }

    private static func keyID(_ text: String) -> SigningKeyID? {
        guard let id = try? SigningKeyID(parsing: text), id.isEd25519 else { return nil }
        return id
    }

    private static func key(_ value: JSONValue) -> [UInt8]? {
        guard let text = value["key"]?.string, let key = Base64.decode(text), key.count == 32 else { return nil }
        return key
    }

    /// The document as JSON, with the signatures there are.
    public func encode() -> JSONValue {
        var document = JSONObject()
        var old = JSONObject()
        for key in oldVerifyKeys {
            old[key.id.text] = [
                "expired_ts": .integer(key.expired.millisecondsSinceEpoch), "key": .string(Base64.encode(key.key)),
            ]
        }
        document["old_verify_keys"] = .object(old)
        document["server_name"] = .string(serverName.text)
        if !signatures.isEmpty {
            var servers = JSONObject()
            for signature in signatures {
                var keys = servers[signature.server.text]?.object ?? JSONObject()
                keys[signature.keyID.text] = .string(Base64.encode(signature.signature))
                servers[signature.server.text] = .object(keys)
            }
            document["signatures"] = .object(servers)
        }
        document["valid_until_ts"] = .integer(validUntil.millisecondsSinceEpoch)
        var keys = JSONObject()
        for key in verifyKeys { keys[key.id.text] = ["key": .string(Base64.encode(key.key))] }
        document["verify_keys"] = .object(keys)
        return .object(document)
    }
}
