import Foundation
import NIOCore
import NIOPosix

/// A real `presenced serve` on free loopback ports, as a child process with a folder of its own.
final class ServerUnderTest {
    static let name = "lab.localhost"
    private static let startLimit = Duration.seconds(60)
    private static let stopLimit = Duration.seconds(15)

    let clientPort: Int
    let federationPort: Int
    let adminPort: Int
    private let adminTokenPath: String
    private let process: Process
    private let logPath: String

    var pid: Int32 { process.processIdentifier }

    /// - Parameters:
    ///   - settings: further lines of the configuration, whole sections without `client`, `tokens` and `log`.
    ///   - federation: what stands in the section `federation`; `nil` switches it off.
    ///   - furtherPorts: that the settings make it listen at.
    ///   - ports: for clients, other servers and the operator, of one that is to be found where it was before; `nil`: any.
    static func start(
        presenced: String, in folder: LabFolder, users: [LabUser], settings: String, federation: String? = nil,
        furtherPorts: [Int] = [], ports wanted: [Int]? = nil
    ) async throws -> ServerUnderTest {
        guard FileManager.default.isExecutableFile(atPath: presenced) else {
            throw LabError("\(presenced) cannot be run; say where it is with --presenced")
        }
        let ports = if let wanted { wanted } else { try await freePorts(3) }
        try folder.write(LabUser.tokenFile(for: users), to: "tokens.json")
        let federationSection =
            federation.map { "federation:\n  enabled: true\n  listen: 127.0.0.1:\(ports[1])\n\($0)" } ?? ""
        let configuration = """
            server_name: \(name)
            data_directory: \(folder.path)
            client:
              listen: 127.0.0.1:\(ports[0])
            tokens:
              file: tokens.json
            admin:
              enabled: true
              listen: 127.0.0.1:\(ports[2])
            log:
              level: warning
            \(settings)
            \(federationSection)

            """
        let path = try folder.write(configuration, to: "presenced.yaml")
        let server = try ServerUnderTest(presenced, configuration: path, ports, in: folder)
        do {
            try await server.waitUntilListening(
                on: (federation == nil ? [ports[0], ports[2]] : ports) + furtherPorts)
        } catch {
            await server.stop()
            throw error
        }
        return server
    }

    private init(_ presenced: String, configuration: String, _ ports: [Int], in folder: LabFolder) throws {
        clientPort = ports[0]
        federationPort = ports[1]
        adminPort = ports[2]
        adminTokenPath = folder.file("admin.token")
        let log = folder.file("presenced.log")
        logPath = log
        guard FileManager.default.createFile(atPath: log, contents: nil), let output = FileHandle(forWritingAtPath: log)
        else { throw LabError("cannot write \(log)") }
        process = Process()
        process.executableURL = URL(filePath: presenced)
        process.arguments = ["serve", "--config", configuration]
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = output
        try process.run()
    }

    /// SIGTERM, and SIGKILL for who does not listen.
    func stop() async {
        guard process.isRunning else { return }
        process.terminate()
        let deadline = ContinuousClock.now + ServerUnderTest.stopLimit
        while process.isRunning, ContinuousClock.now < deadline { try? await Task.sleep(for: .milliseconds(20)) }
        if process.isRunning { kill(pid, SIGKILL) }
        process.waitUntilExit()
    }

    /// The operator's token, which the server made at its start.
    var adminToken: String {
        get throws {
            try String(contentsOfFile: adminTokenPath, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
        }
    }

    func use() throws -> ProcessUse {
        guard let use = ProcessUse(pid: pid) else { throw LabError("presenced has ended: \(lastLines)") }
        return use
    }

    private func waitUntilListening(on ports: [Int]) async throws {
        let deadline = ContinuousClock.now + ServerUnderTest.startLimit
        for port in ports {
            while true {
                guard process.isRunning, ContinuousClock.now < deadline else {
                    throw LabError("presenced does not listen on port \(port): \(lastLines)")
                }
                let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                if let channel = try? await bootstrap.connect(host: "127.0.0.1", port: port).get() {
                    try? await channel.close()
                    break
                }
                try await Task.sleep(for: .milliseconds(50))
            }
        }
    }

    private var lastLines: String {
        let log = (try? String(contentsOfFile: logPath, encoding: .utf8)) ?? ""
        return log.split(separator: "\n").suffix(5).joined(separator: "\n")
    }

    /// Ports that nobody has at this moment, and hardly anybody will until the server takes them.
    static func freePorts(_ count: Int) async throws -> [Int] {
        var channels: [any Channel] = []
        // Below the range that outgoing connections take theirs from: a port must stay free until the server listens.
        for _ in 0..<1000 where channels.count < count {
            let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            let port = Int.random(in: 12_000..<20_000)
            if let channel = try? await bootstrap.bind(host: "127.0.0.1", port: port).get() { channels.append(channel) }
        }
        let ports = channels.compactMap { $0.localAddress?.port }
        for channel in channels { try await channel.close() }
        return ports
    }
}
