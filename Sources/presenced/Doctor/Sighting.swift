import Foundation
import HTTPTypes
import HomeserverLink
import Logging
import MatrixFederation
import MatrixHTTP
import MatrixWire
import NIOCore
import NIOPosix
import PresenceModel

/// What came of one question.
enum Sighting: Sendable {
    case answered(Reply)
    /// No whole answer in time; why not, in words.
    case silent(String)

    /// An answer, whatever its status.
    struct Reply: Sendable {
        var status: Int
        /// Null for what is no JSON.
        var document = JSONValue.null
        /// By the clock of whoever answered; whole seconds.
        var date: Instant?
        /// Who says that the request came to it.
        var mark: ServerMark?

        var errorCode: String? { document["errcode"]?.string }

        /// As in `401 M_UNKNOWN_TOKEN`.
        var summary: String { errorCode.map { "\(status) \($0)" } ?? "\(status)" }
    }
}

/// Asks at one address, with an end to every wait, and with the question who answers.
struct Questioner: Sendable {
    static let patience = Duration.seconds(10)
    static let answerLimitBytes = 1 << 20

    let origin: HomeserverOrigin
    private let upstream: Upstream

    /// - Throws: if the authorities cannot be read.
    init(_ origin: HomeserverOrigin, authorities: String? = nil) throws {
        self.origin = origin
        var settings = Upstream.Configuration(origin: origin)
        settings.extraAuthorities = authorities
        settings.connectTimeout = .seconds(5)
        settings.timeout = Questioner.patience
        settings.connections = 4
        upstream = try Upstream(
            settings, group: MultiThreadedEventLoopGroup.singleton,
            logger: Logger(label: "doctor") { _ in SwiftLogNoOpLogHandler() })
    }

    func ask(_ method: String, _ target: String, token: String? = nil, json: String? = nil) async -> Sighting {
        var call = Upstream.Call(method, target, headers: [.presencedProbe: "1"])
        if let token { call.headers[.authorization] = "Bearer \(token)" }
        if let json {
            call.headers[.contentType] = "application/json"
            call.body = .bytes(ByteBuffer(string: json))
        }
        do throws(UpstreamError) {
            let answer = try await upstream.ask(
                call, within: Questioner.patience, limit: Questioner.answerLimitBytes)
            return .answered(
                Sighting.Reply(
                    status: answer.status, document: (try? JSONParser.lenient.parse(answer.body))?.value ?? .null,
                    date: answer.headers[.date].flatMap { HTTPDate.parse($0) },
                    mark: answer.headers[.presencedMark].flatMap { ServerMark(parsing: $0) }))
        } catch {
            return .silent(Questioner.words(for: error))
        }
    }

    func close() async { try? await upstream.shutdown() }

    private static func words(for error: UpstreamError) -> String {
        switch error.code {
        case .unreachable: "no connection (\(reason(for: error.cause)))"
        case .timedOut: "no whole answer within \(patience.components.seconds) s"
        case .broken: "the connection broke, or what answers speaks no HTTP (\(reason(for: error.cause)))"
        case .cancelled: "interrupted"
        }
    }

    private static func reason(for cause: any Error) -> String {
        (cause as? IOError).map { String(cString: strerror($0.errnoCode)) } ?? "\(cause)"
    }
}
