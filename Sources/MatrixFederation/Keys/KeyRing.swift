import FederationEngine
import Logging
import MatrixWire
import PresenceModel
import PresenceRuntime

/// Other servers' keys: pinned ones, and those fetched from the servers themselves, or from notaries where a server
/// does not answer.
///
/// A document counts only if it is for the server asked and signed by every key it lists, and if it came from a notary,
/// by the notary too. Keys that it lists as old are for nothing here. It is relied on until its own end, at most ``FederationEngine/KeyValidity`` allows, and fetched anew from half its life on. At most
/// ``serversLimit`` documents are held; past that the one fetched longest ago is dropped. A server that could not
/// be asked is not asked again for ``pauseAfterFailure``. Spec: server-server API, retrieving server keys.
public actor KeyRing {
    /// The most key documents held.
    public static let serversLimit = 100_000
    /// Anyone can name any server in a header: past this many fetches at once a further server is not asked, and its
    /// request is refused.
    static let fetchesLimit = 256
    static let pauseAfterFailure = Duration.seconds(10)
    private static let documentLimitBytes = 64 * 1024

    /// Keys that need not be fetched, by server and key id.
    public typealias Pinned = [ServerName: [SigningKeyID: [UInt8]]]

    private struct Held {
        var keys: ServerKeys
        var validity: KeyValidity
        var fetched: Instant
    }

    private let pinned: Pinned
    private let notaries: [ServerName]
    private let transport: FederationTransport
    private let clock: any PresenceClock
    private let validityLimit: Duration
    private let logger: Logger
    /// Anyone can name any server in a header, and each would be a line.
    private let notices = FailureNotices<FederationError.Code>(serversLimit: 1000)
    private var held: [ServerName: Held] = [:]
    private var pausedUntil: [ServerName: Instant] = [:]
    private var fetches: [ServerName: Task<Held?, Never>] = [:]

    /// A ring without documents.
    /// - Parameters:
    ///   - notaries: asked in this order for the keys of a server that does not answer.
    ///   - validityLimit: the longest time that any document is relied on.
    public init(
        pinned: Pinned, notaries: [ServerName] = [], transport: FederationTransport, clock: any PresenceClock,
        validityLimit: Duration,
        logger: Logger
    ) {
        self.pinned = pinned
        self.notaries = notaries
        self.transport = transport
        self.clock = clock
        self.validityLimit = validityLimit
        self.logger = logger
    }

    /// The public key that `server` signs requests with under `id` at this moment; `nil` if there is none to be had.
    func verifyKey(_ id: SigningKeyID, of server: ServerName) async -> [UInt8]? {
        if let key = pinned[server]?[id] { return key }
        let now = clock.now
        if let held = held[server], held.validity.holds(at: now), let key = held.keys.verifyKey(id) {
            if now >= held.validity.refetchAfter, fetches[server] == nil, !isPaused(server, at: now) {
                fetches[server] = startFetch(of: server, for: id)
            }
            return key
        }
        guard let fresh = await fetch(server, for: id), fresh.validity.holds(at: clock.now) else { return nil }
        return fresh.keys.verifyKey(id)
    }

    /// A request of that server was good: it is there.
    func heard(from server: ServerName) { transport.heard(from: server) }

    /// Joins a fetch that is under way.
    private func fetch(_ server: ServerName, for id: SigningKeyID) async -> Held? {
        if let underway = fetches[server] { return await underway.value }
        guard !isPaused(server, at: clock.now), fetches.count < KeyRing.fetchesLimit else { return nil }
        let task = startFetch(of: server, for: id)
        fetches[server] = task
        return await task.value
    }

    private func startFetch(of server: ServerName, for id: SigningKeyID) -> Task<Held?, Never> {
        Task {
            let document = await obtain(server, for: id)
            fetches[server] = nil
            // Also after a success: a key id that the document does not have must not make us ask all the time.
            pause(server)
            return document.map { hold($0, of: server) }
        }
    }

    private func hold(_ document: ServerKeys, of server: ServerName) -> Held {
        let now = clock.now
        let validity = KeyValidity(validUntil: document.validUntil, fetched: now, limit: validityLimit)
        let fresh = Held(keys: document, validity: validity, fetched: now)
        if held[server] == nil, held.count >= KeyRing.serversLimit,
            let oldest = held.min(by: { ($0.value.fetched, $0.key) < ($1.value.fetched, $1.key) })
        {
            held[oldest.key] = nil
        }
        held[server] = fresh
        return fresh
    }

    /// From the server, else from a notary. Says once that there is nothing to be had, and once that there is again.
    private func obtain(_ server: ServerName, for id: SigningKeyID) async -> ServerKeys? {
        var document: ServerKeys?
        var failure: FederationError?
        do throws(FederationError) {
            document = try await ask(server)
        } catch {
            failure = error
            // A document that is wrong is the server's word; only silence is for notaries to fill.
            if error.code != .badSignature, error.code != .malformed {
                document = await askNotaries(of: server, for: id)
            }
        }
        if document != nil {
            if notices.ended(of: server) != nil {
                logger.notice("the keys of a server can be had again", metadata: ["server": "\(server)"])
            }
        } else if let failure {
            logger.log(
                level: notices.isNews(failure.code, of: server, at: clock.now) ? .warning : .debug,
                "could not get the keys of a server; its requests are refused until then",
                metadata: ["server": "\(server)", "reason": "\(failure.message)"])
        }
        return document
    }

    private func ask(_ server: ServerName) async throws(FederationError) -> ServerKeys {
        let reply = try await transport.request(
            "GET", "/_matrix/key/v2/server", at: server, authorization: nil, body: nil,
            replyLimitBytes: KeyRing.documentLimitBytes)
        guard reply.status == 200 else {
            throw FederationError(.refused(status: reply.status), server, "status \(reply.status) for its keys")
        }
        return try KeyRing.check(reply.body, of: server)
    }

    /// A document that is for `server`, and signed by every key that it lists.
    static func check(_ body: [UInt8], of server: ServerName) throws(FederationError) -> ServerKeys {
        guard let value = try? JSONParser.strict.parse(body).value else {
            throw FederationError(.malformed, server, "its key document is malformed")
        }
        return try check(value, of: server)
    }

    /// The same, of JSON that was read already.
    static func check(_ value: JSONValue, of server: ServerName) throws(FederationError) -> ServerKeys {
        func fail(_ code: FederationError.Code, _ message: String) -> FederationError {
            FederationError(code, server, message)
        }
        guard let object = value.object, let document = try? ServerKeys(decoding: value) else {
            throw fail(.malformed, "its key document is malformed")
        }
        guard document.serverName == server else { throw fail(.malformed, "its key document is for another server") }
        guard !document.verifyKeys.isEmpty else { throw fail(.malformed, "its key document lists no Ed25519 key") }
        let signed = CanonicalJSON.signingBytes(ofObject: object)
        for key in document.verifyKeys {
            let isSigned = document.signatures.contains { signature in
                signature.server == server && signature.keyID == key.id
                    && SigningKey.isValid(signature.signature, of: signed, by: key.key)
            }
            guard isSigned else { throw fail(.badSignature, "its key document is not signed by \(key.id)") }
        }
        return document
    }

    private func isPaused(_ server: ServerName, at now: Instant) -> Bool {
        pausedUntil[server].map { now < $0 } ?? false
    }

    private func pause(_ server: ServerName) {
        let now = clock.now
        if pausedUntil.count >= KeyRing.serversLimit { pausedUntil = pausedUntil.filter { now < $0.value } }
        if pausedUntil.count >= KeyRing.serversLimit { pausedUntil.removeAll() }
        pausedUntil[server] = now + KeyRing.pauseAfterFailure
    }
}

// Notaries. Spec: server-server API, querying keys through another server.
extension KeyRing {
    /// Asks one notary after the other, until one has a good document.
    private func askNotaries(of server: ServerName, for id: SigningKeyID) async -> ServerKeys? {
        for notary in notaries where notary != server {
            do throws(FederationError) {
                let document = try await ask(notary, for: server, id)
                _ = notices.ended(of: notary)
                return document
            } catch {
                logger.log(
                    level: notices.isNews(error.code, of: notary, at: clock.now) ? .warning : .debug,
                    "a notary could not give the keys of a server",
                    metadata: ["notary": "\(notary)", "server": "\(server)", "reason": "\(error.message)"])
            }
        }
        return nil
    }

    private func ask(
        _ notary: ServerName, for server: ServerName, _ id: SigningKeyID
    ) async throws(FederationError) -> ServerKeys {
        let now = clock.now
        var named = JSONObject()
        named[id.text] = ["minimum_valid_until_ts": .integer(now.millisecondsSinceEpoch)]
        var asked = JSONObject()
        asked[server.text] = .object(named)
        let reply = try await transport.request(
            "POST", "/_matrix/key/v2/query", at: notary, authorization: nil,
            body: CanonicalJSON.encode(["server_keys": .object(asked)]), replyLimitBytes: KeyRing.documentLimitBytes)
        guard reply.status == 200 else {
            throw FederationError(.refused(status: reply.status), notary, "status \(reply.status)")
        }
        guard let list = (try? JSONParser.strict.parse(reply.body).value)?["server_keys"]?.array else {
            throw FederationError(.malformed, notary, "its answer is not JSON with a list server_keys")
        }
        var best: ServerKeys?
        for value in list where value["server_name"]?.string == server.text {
            let document = try KeyRing.check(value, of: server)
            try await checkNotarys(value, document, notary)
            if document.validUntil > (best?.validUntil ?? now) { best = document }
        }
        guard let best else { throw FederationError(.malformed, notary, "it has no keys that hold now") }
        return best
    }

    /// The notary must vouch for what it hands out: by its signature, besides the connection that it came over.
    private func checkNotarys(
        _ value: JSONValue, _ document: ServerKeys, _ notary: ServerName
    ) async throws(FederationError) {
        let signed = CanonicalJSON.signingBytes(ofObject: value.object ?? JSONObject())
        for signature in document.signatures where signature.server == notary {
            guard let key = try await notaryKey(signature.keyID, of: notary) else { continue }
            if SigningKey.isValid(signature.signature, of: signed, by: key) { return }
        }
        throw FederationError(.badSignature, notary, "the document is not signed by a key of the notary")
    }

    /// Never from another notary: two that wait for each other would wait for ever.
    private func notaryKey(_ id: SigningKeyID, of notary: ServerName) async throws(FederationError) -> [UInt8]? {
        if let key = pinned[notary]?[id] { return key }
        if let held = held[notary], held.validity.holds(at: clock.now), let key = held.keys.verifyKey(id) { return key }
        let fresh = hold(try await ask(notary), of: notary)
        return fresh.validity.holds(at: clock.now) ? fresh.keys.verifyKey(id) : nil
    }
}
