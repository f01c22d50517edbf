import ClientGateway
import HTTPTypes
import Logging
import MatrixHTTP
import MatrixWire
import PresenceEngine
import PresenceModel
import PresenceRuntime
import Synchronization

/// Whose an access token is, by the word of the homeserver: `GET /_matrix/client/v3/account/whoami`.
///
/// An answer is kept for some minutes under the SHA-256 of the token, never the token, and dropped as soon as the
/// homeserver refuses the token anywhere. Several look-ups of one token at the same time are one. Whoever is seen for
/// the first time is made known to the engine. Facts: section 5; client-server API, whoami.
public final class WhoamiTokens: Authenticating {
    /// Limits and times of the look-ups.
    public struct Configuration: Hashable, Sendable {
        /// How long an answer is believed; at most ``WhoamiTokens/cacheLimit``.
        public var cache: Duration = .minutes(5)
        /// The most answers kept; past that the oldest go.
        public var limit = 100_000
        /// How long the homeserver may take for an answer.
        public var timeout: Duration = .seconds(10)
        /// The most look-ups at once; past that 503.
        public var lookupsAtOnce = 1000

        /// The defaults above.
        public init() {}
    }

    /// The longest time that an answer is believed.
    public static let cacheLimit: Duration = .minutes(5)

    typealias Outcome = Result<Caller, MatrixErrorBody>

    private let server: ServerName
    private let upstream: Upstream
    private let forwarding: Forwarding
    private let runtime: PresenceRuntime
    private let configuration: Configuration
    private let clock: any PresenceClock
    private let logger: Logger
    private let memory: Mutex<TokenMemory>

    /// - Parameters:
    ///   - server: the name of the homeserver; users of another one are nobody here.
    ///   - forwarding: tells the homeserver who caused a look-up, so that it does not take us for a device of the user.
    public init(
        server: ServerName, upstream: Upstream, forwarding: Forwarding, runtime: PresenceRuntime,
        configuration: Configuration, clock: any PresenceClock, logger: Logger
    ) {
        self.server = server
        self.upstream = upstream
        self.forwarding = forwarding
        self.runtime = runtime
        self.configuration = configuration
        self.clock = clock
        self.logger = logger
        memory = Mutex(
            TokenMemory(limit: configuration.limit, life: min(configuration.cache, WhoamiTokens.cacheLimit)))
    }

    /// By the homeserver's word, or what is remembered of it.
    /// - Throws: the homeserver's own refusal; 502 if it gives no answer that can be used, 503 with too many look-ups,
    ///   504 if it takes too long.
    public func caller(of request: MatrixRequest) async throws(MatrixErrorBody) -> Caller {
        let token = try request.accessToken()
        let question = try WhoamiTokens.question(of: request)
        switch step(question, token, causedBy: request) {
        case .remembered(let caller): return caller
        case .underWay(let task): return try await task.value.get()
        case .tooMany: throw .tooManyLookUps
        }
    }

    /// As ``caller(of:)``; the homeserver is not told where the token came from.
    public func caller(presenting token: String) async throws(MatrixErrorBody) -> Caller {
        switch step(try WhoamiTokens.question(of: token, asserted: nil), token, causedBy: nil) {
        case .remembered(let caller): return caller
        case .underWay(let task): return try await task.value.get()
        case .tooMany: throw .tooManyLookUps
        }
    }

    private func step(
        _ question: TokenQuestion, _ token: String, causedBy request: MatrixRequest?
    ) -> TokenMemory.Step {
        memory.withLock { memory in
            memory.begin(question, at: clock.now, atMost: configuration.lookupsAtOnce) { place in
                Task { await self.lookUp(question, token, place, for: request) }
            }
        }
    }

    /// Who sends `request`, if that need not be looked up.
    func remembered(_ request: MatrixRequest) -> Caller? {
        guard let question = try? WhoamiTokens.question(of: request) else { return nil }
        return memory.withLock { $0.caller(for: question, at: clock.now) }
    }

    /// The homeserver gave out a token: it need not be asked about it soon. Of users of other servers nothing is kept.
    func learn(_ token: String, of key: DeviceKey) async {
        guard key.user.isHosted(by: server), let question = try? WhoamiTokens.question(of: token, asserted: nil) else {
            return
        }
        await runtime.submit(.presence(.userKnown(key.user)))
        memory.withLock { $0.remember(Caller(key: key, kind: .user), for: question, at: clock.now) }
    }

    /// The homeserver refused the token of `request`: it is looked up anew when it comes again.
    public func forgetToken(of request: MatrixRequest) {
        guard let question = try? WhoamiTokens.question(of: request) else { return }
        memory.withLock { $0.forget(question.token) }
    }

    /// The sessions of the user of `request` may have ended, all or some: each is looked up anew.
    public func forgetUser(of request: MatrixRequest) {
        guard let caller = remembered(request) else { return forgetToken(of: request) }
        memory.withLock { $0.forget(caller.key.user) }
    }

    /// Asks the homeserver for a profile, which everybody there has.
    public func knows(_ user: UserID) async -> Bool {
        guard user.isHosted(by: server) else { return false }
        let target = "/_matrix/client/v3/profile/\(PercentEncoding.encode(user.text))"
        let answer = try? await upstream.ask(
            Upstream.Call("GET", target), within: configuration.timeout, limit: WhoamiTokens.answerLimitBytes)
        return answer?.status == 200
    }

    /// How many answers are kept.
    public var count: Int { memory.withLock { $0.count } }

    private static func question(of request: MatrixRequest) throws(MatrixErrorBody) -> TokenQuestion {
        try question(of: try request.accessToken(), asserted: try request.queryValue("user_id"))
    }

    private static func question(
        of token: String, asserted: String?
    ) throws(MatrixErrorBody) -> TokenQuestion {
        guard token.utf8.count <= TokenTable.tokenLimitBytes else {
            throw MatrixErrorBody(.unknownToken, "Invalid access token passed.", softLogout: false)
        }
        return TokenQuestion(token: TokenDigest(of: token), asserted: asserted)
    }

    private func lookUp(
        _ question: TokenQuestion, _ token: String, _ place: UInt64, for request: MatrixRequest?
    ) async -> Outcome {
        let outcome: Outcome
        do throws(MatrixErrorBody) {
            let caller = try await ask(question, token, for: request)
            await runtime.submit(.presence(.userKnown(caller.key.user)))
            outcome = .success(caller)
        } catch {
            outcome = .failure(error)
        }
        memory.withLock { $0.end(question, place, outcome, at: clock.now) }
        return outcome
    }

    private func ask(
        _ question: TokenQuestion, _ token: String, for request: MatrixRequest?
    ) async throws(MatrixErrorBody) -> Caller {
        var target = "/_matrix/client/v3/account/whoami"
        if let asserted = question.asserted { target += "?user_id=\(PercentEncoding.encode(asserted))" }
        var headers = request.map { forwarding.origin(of: $0) } ?? Forwarding.ownFields
        headers[.authorization] = "Bearer \(token)"
        headers[.acceptEncoding] = "identity"
        let answer: (status: Int, headers: HTTPFields, body: [UInt8])
        do throws(UpstreamError) {
            answer = try await upstream.ask(
                Upstream.Call("GET", target, headers: headers), within: configuration.timeout,
                limit: WhoamiTokens.answerLimitBytes)
        } catch {
            throw error.refusal
        }
        guard answer.status == 200 else {
            let passedOn = [401, 403, 429].contains(answer.status)
            throw (passedOn ? MatrixErrorBody(decoding: answer.body, status: answer.status) : nil) ?? .noWord
        }
        return try caller(in: answer.body)
    }

    private func caller(in body: [UInt8]) throws(MatrixErrorBody) -> Caller {
        guard let value = try? JSONParser.lenient.parse(body).value,
            let user = value["user_id"]?.string.flatMap({ try? UserID(parsing: $0) })
        else { throw .noWord }
        guard user.isHosted(by: server) else {
            logger.error(
                "the homeserver has another name than ours; set server_name to the homeserver's",
                metadata: ["homeserver": "\(user.server)", "server_name": "\(server)"])
            throw .noWord
        }
        guard let device = value["device_id"]?.string.flatMap({ try? DeviceID(parsing: $0) }) else {
            guard let device = WhoamiTokens.noDevice else { throw .noWord }
            return Caller(key: DeviceKey(user: user, device: device), kind: .applicationService)
        }
        let isGuest = value["is_guest"]?.bool ?? false
        return Caller(key: DeviceKey(user: user, device: device), kind: isGuest ? .guest : .user)
    }

    /// Stands for whoever acts without a device.
    private static let noDevice = try? DeviceID(parsing: "org.presenced.no_device")
    private static let answerLimitBytes = 64 * 1024
}

extension MatrixErrorBody {
    fileprivate static let noWord = MatrixErrorBody(
        .unknown, "The homeserver did not say whose the access token is.", status: 502)
    fileprivate static let tooManyLookUps = MatrixErrorBody(
        .unknown, "Too many look-ups of tokens; come again soon.", status: 503)
}
