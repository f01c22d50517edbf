import ArgumentParser
import Foundation
import MatrixWire

/// `presence-lab measure`: how much it takes. Prints figures and judges nothing.
struct MeasureCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "measure", abstract: "Measure memory, engines, PUT status and signed transactions.",
        discussion: """
            Without --population, --engine, --put, --transactions, --flood, --backlog, --syncs, --social-engine, \
            --social or --bridge all are measured. The servers are child processes on loopback with folders of their own; nothing \
            else is touched.
            """)

    @Flag(help: "A million users: memory, and a restart.")
    var population = false

    @Flag(help: "The engines alone, on one core.")
    var engine = false

    @Flag(help: "PUT status over HTTP, with store.synchronous full and normal.")
    var put = false

    @Flag(help: "Signed presence transactions over TLS.")
    var transactions = false

    @Flag(help: "Servers that do not answer: three and a half minutes, whatever --seconds says.")
    var flood = false

    @Option(help: "With --flood: how many, 1 to 20000.")
    var floodServers = 10_000

    @Flag(help: "Events that an application service is sent after a long pause.")
    var backlog = false

    @Option(help: "With --backlog: how many, 100 to 100000000.")
    var backlogEvents = 1_000_000

    @Flag(help: "Syncs in front of a homeserver: long-polls that wait, and what quick ones take longer.")
    var syncs = false

    @Option(help: "With --syncs: long-polls that wait at once, each of a user of its own, 1 to 20000.")
    var syncsClients = 5000

    @Option(help: "With --syncs: quick syncs of each kind, 10 to 1000000.")
    var syncsRequests = 2000

    @Flag(help: "Friends in the world: the social service without its wire.")
    var socialEngine = false

    @Flag(help: "The social service: friendships, heartbeats, and friends who are told.")
    var social = false

    @Option(help: "With --social: users with a connection each, 100 to 50000.")
    var socialUsers = 10_000

    @Flag(help: "Bridged users: what the bridge takes, and how long changes are under way.")
    var bridge = false

    @Option(help: "With --bridge: linked users, 200 to 50000.")
    var bridgeUsers = 10_000

    @Option(help: "How long each of them runs, 1 to 600.")
    var seconds = 10.0

    @Option(help: "Connections to the server, 1 to 256 (transactions: at most 16).")
    var connections = 16

    @Option(help: "Requests under way at once on each connection, 1 to 64.")
    var pipeline = 1

    @Option(help: "The server's executable; by default the one beside this one.")
    var presenced: String?

    @Flag(help: "Print JSON.")
    var json = false

    func validate() throws {
        guard (1...600).contains(seconds) else { throw ValidationError("--seconds must be 1 to 600") }
        guard (1...256).contains(connections) else { throw ValidationError("--connections must be 1 to 256") }
        guard (1...20_000).contains(floodServers) else { throw ValidationError("--flood-servers must be 1 to 20000") }
        guard (100...100_000_000).contains(backlogEvents) else {
            throw ValidationError("--backlog-events must be 100 to 100000000")
        }
        guard (1...20_000).contains(syncsClients) else { throw ValidationError("--syncs-clients must be 1 to 20000") }
        guard (10...1_000_000).contains(syncsRequests) else {
            throw ValidationError("--syncs-requests must be 10 to 1000000")
        }
        guard (100...50_000).contains(socialUsers) else { throw ValidationError("--social-users must be 100 to 50000") }
        guard (200...50_000).contains(bridgeUsers) else {
            throw ValidationError("--bridge-users must be 200 to 50000")
        }
        guard (1...64).contains(pipeline) else { throw ValidationError("--pipeline must be 1 to 64") }
    }

    func run() async throws {
        let all =
            !population && !engine && !put && !transactions && !flood && !backlog && !syncs && !socialEngine && !social
            && !bridge
        let machine = Machine()
        var measurements: [Measurement] = []
        func report(_ measurement: Measurement) {
            measurements.append(measurement)
            if !json { measurement.printText() }
        }
        if !json { print(machine.text) }
        if population || all {
            report(try PopulationLoad.measureMemory())
            report(try await PopulationLoad(presenced: executable).measureRestart())
        }
        if engine || all {
            for rate in [EngineLoad.held, EngineLoad.coming] {
                report(try EngineLoad.measure(seconds: seconds, eventsPerMillisecond: rate))
            }
            for tie in ObserversLoad.Tie.allCases { report(try ObserversLoad.measure(seconds: seconds, tie: tie)) }
            report(try FederationEngineLoad.measure(seconds: seconds))
        }
        if put || all {
            let load = StatusLoad(
                presenced: executable, seconds: seconds, connections: connections, pipeline: pipeline)
            for synchronous in ["full", "normal"] { report(try await load.measure(synchronous: synchronous)) }
        }
        if transactions || all {
            let load = TransactionLoad(
                presenced: executable, seconds: seconds, connections: connections, pipeline: pipeline)
            report(try await load.measure())
        }
        if flood || all { report(try await FloodLoad(presenced: executable, servers: floodServers).measure()) }
        if backlog || all { report(try await BacklogLoad(presenced: executable, events: backlogEvents).measure()) }
        if syncs || all {
            let load = SyncsLoad(
                presenced: executable, clients: syncsClients, requests: syncsRequests, seconds: seconds)
            for measurement in try await load.measure() { report(measurement) }
        }
        if socialEngine || all {
            for measurement in try await SocialEngineLoad.measure(seconds: seconds) { report(measurement) }
        }
        if social || all {
            let load = SocialLoad(presenced: executable, users: socialUsers, seconds: max(seconds, 60))
            for measurement in try await load.measure() { report(measurement) }
        }
        if bridge || all {
            let load = BridgeLoad(presenced: executable, users: bridgeUsers, seconds: max(seconds, 60))
            try await load.measure(report)
        }
        guard json else { return }
        let document: JSONValue = [
            "machine": [
                "cores": .integer(Int64(machine.cores)), "model": .string(machine.model),
                "memory_bytes": .integer(Int64(machine.memoryBytes)), "build": .string(machine.build),
            ],
            "measurements": .array(measurements.map(\.json)),
        ]
        print(String(decoding: CanonicalJSON.encode(document), as: UTF8.self))
    }

    private var executable: String {
        if let presenced { return presenced }
        let own = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        return own.deletingLastPathComponent().appending(path: "presenced").path
    }
}
