import ArgumentParser
import FixtureReplay
import MatrixWire

/// `presence-lab replay`: recorded requests to a running server, and how its answers differ from the recorded ones.
struct ReplayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay", abstract: "Send recorded requests to a server and compare its answers.",
        discussion: "Ends with status 1 if there are differences that are not expected.")

    @Argument(help: "Files of recorded exchanges, JSON lines.")
    var files: [String]

    @Option(help: "Scheme, host and port of the server under test, as in http://127.0.0.1:8008.")
    var to: String

    @Option(help: "PEM file of certificate authorities to trust besides the system's.")
    var ca: String?

    @Option(help: "JSON file: recorded token or user identifier → token of the server under test.")
    var tokens: String?

    @Option(help: "JSON file of deliberate differences: {\"expected\": [{\"reason\", \"note\"|\"path\"|…}]}.")
    var expect: String?

    @Option(help: "Only paths that begin so.")
    var onlyPath: String?

    @Option(help: "Only this method.")
    var onlyMethod: String?

    @Option(help: "Only requests to this server, by its name in the records.")
    var onlyTo: String?

    @Option(help: "FROM=TO: a server name or user identifier to replace; may be given several times.")
    var rename: [String] = []

    @Flag(help: "Print JSON.")
    var json = false

    func run() async throws {
        var replay = Replay(to: to)
        replay.extraAuthorities = ca
        replay.selection.pathPrefix = onlyPath
        replay.selection.method = onlyMethod?.uppercased()
        replay.selection.destination = onlyTo
        if let expect { replay.expectations = try Expectations(contentsOf: expect) }
        if let tokens { try replay.rewriting.takeTokens(contentsOf: tokens) }
        for pair in rename {
            let parts = pair.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2 else { throw ValidationError("--rename wants FROM=TO, not '\(pair)'") }
            replay.rewriting.rename(parts[0], to: parts[1])
        }
        let report = try await replay.run(try files.map { try Recording(contentsOf: $0) })
        if json { printJSON(report) } else { printText(report) }
        guard report.differentCount == 0, report.flaws.isEmpty else { throw ExitCode(1) }
    }

    private func printText(_ report: ReplayReport) {
        for flaw in report.flaws { print("no record: \(flaw)") }
        for entry in report.entries {
            let exchange = entry.exchange
            let request = "\(exchange.method) \(exchange.target.prefix(90))"
            switch entry.outcome {
            case .equal: break
            case .expected(let reason, let differences):
                for difference in differences { print("expected: \(difference.description) (\(reason))") }
            case .different(let differences):
                for difference in differences { print("different: \(difference) [\(request)] \(exchange.note)") }
            case .skipped(let reason): print("skipped: \(exchange.place): \(reason)")
            }
        }
        for unused in report.unusedExpectations { print("expectation not needed: \(unused.title)") }
        print(report.summary)
    }

    private func printJSON(_ report: ReplayReport) {
        func list(_ differences: [Difference]) -> JSONValue {
            .array(differences.map { ["aspect": .string($0.aspect.rawValue), "words": .string($0.words)] })
        }
        let entries = report.entries.compactMap { entry -> JSONValue? in
            var object = JSONObject()
            switch entry.outcome {
            case .equal: return nil
            case .expected(let reason, let differences):
                object["outcome"] = "expected"
                object["reason"] = .string(reason)
                object["differences"] = list(differences)
            case .different(let differences):
                object["outcome"] = "different"
                object["differences"] = list(differences)
            case .skipped(let reason):
                object["outcome"] = "skipped"
                object["reason"] = .string(reason)
            }
            object["place"] = .string(entry.exchange.place.description)
            object["method"] = .string(entry.exchange.method)
            object["path"] = .string(entry.exchange.target)
            object["note"] = .string(entry.exchange.note)
            return .object(object)
        }
        let document: JSONValue = [
            "exchanges": .integer(Int64(report.exchangeCount)), "equal": .integer(Int64(report.equalCount)),
            "expected_differences": .integer(Int64(report.expectedCount)),
            "differences": .integer(Int64(report.differentCount)), "skipped": .integer(Int64(report.skippedCount)),
            "flaws": .array(report.flaws.map { .string($0.description) }),
            "unused_expectations": .array(report.unusedExpectations.map { .string($0.title) }),
            "entries": .array(entries),
        ]
        print(String(decoding: CanonicalJSON.encode(document), as: UTF8.self))
    }
}
