import MatrixHTTP
import MatrixWire
import PresenceModel

extension FederationGateway {
    /// `GET /_matrix/key/v2/server` → our keys, and those of before; signed by each that signs now; for anyone.
    ///
    /// Spec: server-server API, publishing keys.
    func getServerKeys() -> Answer {
        let own = ownKeys.current
        var document = ServerKeys(
            serverName: server, verifyKeys: own.signing.map { .init(id: $0.id, key: $0.publicKey) },
            oldVerifyKeys: own.old, validUntil: clock.now + configuration.keyDocumentLife)
        guard let object = document.encode().object else { return .empty(status: 500) }
        let signed = CanonicalJSON.signingBytes(ofObject: object)
        document.signatures = own.signing.map { key in
            .init(server: server, keyID: key.id, signature: key.sign(signed))
        }
        return .json(CanonicalJSON.encode(document.encode()))
    }

    /// `GET /_matrix/federation/v1/version` → `{"server":{"name","version"}}`, for anyone.
    func getVersion() -> Answer {
        let document: JSONValue = ["server": ["name": "presenced", "version": .string(configuration.version)]]
        return .json(CanonicalJSON.encode(document))
    }
}
