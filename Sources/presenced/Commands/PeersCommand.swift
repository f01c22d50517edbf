import ArgumentParser
import MatrixWire
import PresenceModel

/// `presenced peers`: how it stands with other servers.
struct PeersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "peers", abstract: "List other servers, and how it stands with each.",
        discussion: """
            Asks the running server on the operator's interface (admin.enabled).

            GIVEN: users here of whom the server is promised to be told. HELD: users there of whom it promised to tell \
            us, of those wanted. SHORT: when it is reminded if nothing is heard; LONG: when everything is exchanged \
            anew. WINDOW: when gathered changes leave. BACK-OFF: when it is tried again, and how often it failed in a \
            row. SENT and UNSENT: EDUs sent, and changes that needed none, since the start.
            """)

    @OptionGroup var options: AdminClient.Options

    @Option(help: "At most so many, from 1 to 1000.")
    var limit = 100

    @Option(help: "Begin with this server, in the order of names.")
    var from: String?

    func validate() throws {
        guard (1...1000).contains(limit) else { throw ValidationError("--limit is from 1 to 1000.") }
        if let from, (try? ServerName(parsing: from)) == nil {
            throw ValidationError("'\(from)' is not a server name.")
        }
    }

    func run() async throws {
        let admin = try AdminClient(options)
        var query = [(name: "limit", value: "\(limit)")]
        if let from { query.append((name: "from", value: from)) }
        let answer = try await admin.get("peers", query)
        if options.json {
            print(String(decoding: CanonicalJSON.encode(answer), as: UTF8.self))
        } else {
            for line in PeerTable.lines(of: answer) { print(line) }
        }
    }
}
