import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import NIOSSL

/// Sends recorded requests to a server, one after the other, and compares what it answers with what was recorded.
///
/// The order is that of the records. Nothing is repeated: a request without an answer is a difference.
public struct Replay: Sendable {
    /// Which exchanges are replayed; those that are not do not count at all.
    public struct Selection: Hashable, Sendable {
        /// Only paths that begin so.
        public var pathPrefix: String?
        /// Only this method, in upper case.
        public var method: String?
        /// Only requests to this server, by its name in the records.
        public var destination: String?

        /// Everything.
        public init() {}

        func includes(_ exchange: RecordedExchange) -> Bool {
            if let pathPrefix, !exchange.target.hasPrefix(pathPrefix) { return false }
            if let method, method != exchange.method { return false }
            if let destination, destination != exchange.destination { return false }
            return true
        }
    }

    /// Scheme, host and port of the server under test, without a path.
    public var server: String
    /// PEM file of authorities that are trusted besides the system's.
    public var extraAuthorities: String?
    /// Which exchanges are replayed.
    public var selection = Selection()
    /// What is put in place of recorded values.
    public var rewriting = Rewriting()
    /// Which differences are meant to be.
    public var expectations = Expectations()
    /// A request without a whole answer by then has failed.
    public var requestTimeout: Duration = .seconds(30)
    /// A longer answer is a failure, in bytes.
    public var answerLimitBytes = 16 << 20

    /// Headers that belong to the connection and are made anew.
    private static let connectionHeaders: Set<String> = ["connection", "content-length", "transfer-encoding"]

    /// - Parameter server: scheme, host and port, as in `https://localhost:8448`.
    public init(to server: String) {
        self.server = String(server.hasSuffix("/") ? server.dropLast() : server[...])
    }

    /// - Throws: if the file of authorities cannot be used. What goes wrong with a request is in the report.
    public func run(_ recordings: [Recording]) async throws -> ReplayReport {
        var tls = TLSConfiguration.makeClientConfiguration()
        if let extraAuthorities {
            tls.additionalTrustRoots = [.certificates(try NIOSSLCertificate.fromPEMFile(extraAuthorities))]
        }
        var settings = HTTPClient.Configuration(tlsConfiguration: tls)
        settings.redirectConfiguration = .disallow
        settings.httpVersion = .http1Only
        settings.timeout.connect = .seconds(10)
        let client = HTTPClient(configuration: settings)
        let report = await run(recordings, with: client)
        try await client.shutdown()
        return report
    }

    private func run(_ recordings: [Recording], with client: HTTPClient) async -> ReplayReport {
        var report = ReplayReport()
        var rewriting = rewriting
        var used: Set<Int> = []
        for recording in recordings {
            report.flaws += recording.flaws
            for exchange in recording.exchanges where selection.includes(exchange) {
                let outcome = await replay(exchange, with: client, &rewriting, &used)
                report.entries.append(ReplayReport.Entry(exchange: exchange, outcome: outcome))
            }
        }
        report.unusedExpectations = expectations.entries.enumerated()
            .filter { !used.contains($0.offset) }.map(\.element)
        return report
    }

    private func replay(
        _ exchange: RecordedExchange, with client: HTTPClient, _ rewriting: inout Rewriting, _ used: inout Set<Int>
    ) async -> ReplayReport.Outcome {
        if let reason = reasonToSkip(exchange) { return .skipped(reason) }
        let asked = rewriting.applied(to: exchange)
        let url = server + asked.target
        guard URL(string: url)?.absoluteString == url else {
            return .skipped("its path cannot be sent byte for byte: \(asked.target)")
        }
        var received: ReceivedAnswer?
        var differences: [Difference]
        do {
            let answer = try await send(asked, to: url, with: client)
            rewriting.learn(from: exchange, answer)
            differences = AnswerComparison.differences(between: asked, and: answer)
            received = answer
        } catch {
            let words = "status \(exchange.status) became no answer: \(error)"
            differences = [Difference(place: exchange.place, aspect: .transport, words: words)]
        }
        guard !differences.isEmpty else { return .equal }
        guard let index = expectations.index(for: exchange, answeredBy: received) else {
            return .different(differences)
        }
        used.insert(index)
        return .expected(reason: expectations.entries[index].reason, differences)
    }

    private func reasonToSkip(_ exchange: RecordedExchange) -> String? {
        if exchange.isRemark { return "a remark, not an exchange" }
        if exchange.status == 0 { return "the recorded server gave no answer" }
        if case .leftOut(let reason) = exchange.body { return reason }
        return nil
    }

    private func send(
        _ exchange: RecordedExchange, to url: String, with client: HTTPClient
    ) async throws -> ReceivedAnswer {
        var request = HTTPClientRequest(url: url)
        request.method = HTTPMethod(rawValue: exchange.method)
        for field in exchange.headers where !Replay.connectionHeaders.contains(field.name.lowercased()) {
            request.headers.add(name: field.name, value: field.value)
        }
        if case .bytes(let bytes) = exchange.body { request.body = .bytes(bytes) }
        let response = try await client.execute(request, timeout: TimeAmount(requestTimeout))
        let body = try await response.body.collect(upTo: answerLimitBytes)
        return ReceivedAnswer(status: Int(response.status.code), body: Array(body.readableBytesView))
    }
}
