import MatrixFederation
import MatrixWire
import PresenceModel

/// What presenced signs with is published by the homeserver: other servers would refuse everything else.
enum SigningKeyChecks {
    static let name = "signing key"
    static let publicName = "signing key, as others see it"
    static let target = "/_matrix/key/v2/server"

    /// What presenced signs with.
    struct OwnKey: Hashable, Sendable {
        var id: SigningKeyID
        /// 32 bytes.
        var publicKey: [UInt8]
        /// The file it is in.
        var path: String
    }

    /// - Parameters:
    ///   - sighting: of ``target``.
    ///   - place: where it was asked.
    static func judge(
        _ sighting: Sighting, as name: String, at place: String, own: OwnKey, server: ServerName, now: Instant
    ) -> Finding {
        guard case .answered(let reply) = sighting else {
            guard case .silent(let why) = sighting else { return .leftOut(name, place) }
            return .failed(
                name, "\(place) does not answer: \(why)",
                do:
                    "Other servers find \(server) by .well-known, SRV records, or port 8448: see that this leads to your "
                    + "reverse proxy, with a certificate for it.")
        }
        guard reply.status == 200, let keys = try? ServerKeys(decoding: reply.document) else {
            return .failed(
                name, "\(place) publishes no keys (\(reply.summary))",
                do:
                    "Synapse's listener there needs 'names: [client, federation]' under resources; presenced passes to it "
                    + "what other servers ask.")
        }
        guard keys.serverName == server else {
            return .failed(
                name, "\(place) is \(keys.serverName), not \(server)",
                do: "Set server_name to the homeserver's; it is the part of user names behind the colon.")
        }
        guard keys.validUntil > now else {
            return .failed(
                name, "the keys that \(place) publishes are out of date",
                do: "See whether the clocks are right; if they are, restart the homeserver.")
        }
        guard let published = keys.verifyKey(own.id) else {
            return .failed(
                name, "\(own.id) of \(own.path) is not published by \(place); others refuse what presenced signs",
                do:
                    "Either set federation.signing_key to Synapse's signing_key_path; or add presenced's line to that file "
                    + "as its second line (Synapse goes on signing with the first), and restart Synapse."
            )
        }
        guard published == own.publicKey else {
            return .failed(
                name, "\(place) publishes another key by the name \(own.id) than \(own.path) holds",
                do: "Set federation.signing_key to Synapse's signing_key_path; never use one name for two keys.")
        }
        return .ok(name, "\(own.id) is published by \(place)")
    }
}
