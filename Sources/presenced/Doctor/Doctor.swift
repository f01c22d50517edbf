import Foundation
import HomeserverLink
import Logging
import MatrixFederation
import MatrixHTTP
import MatrixWire
import NIOPosix
import PresenceModel
import PresenceRuntime

/// Looks at everything around presenced, one thing after the other, and tells what it finds. It changes nothing.
struct Doctor {
    let configuration: ServerConfiguration
    /// Where clients come to; `nil`: not to be looked at.
    let publicURL: HomeserverOrigin?
    /// Takes each finding as it is made.
    let tell: (Finding) -> Void

    private var server: ServerName { configuration.serverName }

    func examine() async {
        FileChecks.judge(FileChecks.look(configuration)).forEach(tell)
        let isRunning = await examinePresenced()
        if let url = configuration.homeserver.url {
            await examineHomeserver(url, isRunning: isRunning)
        } else {
            tell(
                .failed(
                    HomeserverChecks.reached, "homeserver.url is not set, so presenced runs by itself",
                    do: "Set homeserver.url in the configuration, and restart presenced."))
        }
        await examineProxy(isRunning: isRunning)
        await examineFederation(isRunning: isRunning)
        if configuration.bridge.service != .off { await examineBridge(isRunning: isRunning) }
    }

    // MARK: presenced

    private func examinePresenced() async -> Bool {
        let listen = configuration.client.listen
        guard listen.port != 0, let questioner = questioner(at: listen) else {
            tell(.leftOut(RunningChecks.running, "client.listen leaves the port to chance"))
            return true
        }
        let finding = RunningChecks.judge(
            await asking(questioner) { await $0.ask("GET", "/_matrix/client/versions") }, at: listen, server: server)
        tell(finding)
        guard configuration.admin.enabled else {
            tell(.leftOut(RunningChecks.admin, "admin.enabled is false"))
            return finding.verdict == .ok
        }
        let admin = configuration.admin.listen
        guard finding.verdict == .ok else {
            tell(.leftOut(RunningChecks.admin, "presenced does not run"))
            return false
        }
        guard admin.port != 0, let questioner = self.questioner(at: admin),
            let token = Doctor.firstLine(of: configuration.adminTokenPath)
        else {
            tell(.leftOut(RunningChecks.admin, "no port in admin.listen, or no token in admin.token_file"))
            return true
        }
        let sighting = await asking(questioner) { await $0.ask("GET", RunningChecks.adminTarget, token: token) }
        tell(RunningChecks.judgeAdmin(sighting, at: admin, server: server))
        return true
    }

    // MARK: The bridge

    private func examineBridge(isRunning: Bool) async {
        let bridge = configuration.bridge
        if let origin = BridgeChecks.origin(of: bridge), let url = bridge.url {
            if let questioner = try? Questioner(origin, authorities: bridge.caFile) {
                let sighting = await asking(questioner) { await $0.ask("GET", url.target) }
                tell(BridgeChecks.judgeReached(sighting, at: url.publicText))
            } else {
                // Told with the files.
                tell(.leftOut(BridgeChecks.reached, "bridge.ca_file cannot be used"))
            }
        }
        guard isRunning, configuration.admin.enabled, let questioner = questioner(at: configuration.admin.listen),
            let token = Doctor.firstLine(of: configuration.adminTokenPath)
        else { return tell(.leftOut(BridgeChecks.sessions, "needs presenced running, with admin.enabled")) }
        let sighting = await asking(questioner) { await $0.ask("GET", BridgeChecks.target, token: token) }
        BridgeChecks.judgeSessions(sighting).forEach(tell)
    }

    // MARK: The homeserver

    private func examineHomeserver(_ url: HomeserverOrigin, isRunning: Bool) async {
        guard let questioner = try? Questioner(url, authorities: configuration.homeserver.caFile) else {
            // Told with the files.
            return leaveOutHomeserver("homeserver.ca_file cannot be used", also: [HomeserverChecks.reached])
        }
        let sighting = await questioner.ask("GET", HomeserverChecks.target)
        let now = Doctor.now
        let finding = HomeserverChecks.judge(sighting, at: url.text)
        tell(finding)
        if case .answered(let reply) = sighting, finding.verdict == .ok {
            tell(HomeserverChecks.judgeClock(reply.date, ours: now))
            await examineApplicationService(questioner, isRunning: isRunning)
            await examineSigningKey(questioner)
        } else {
            leaveOutHomeserver("the homeserver cannot be asked")
        }
        await questioner.close()
    }

    private func leaveOutHomeserver(_ reason: String, also names: [String] = []) {
        for name in names + [
            HomeserverChecks.clock, ApplicationServiceChecks.known, PresenceOffCheck.name,
            ApplicationServiceChecks.back,
            SigningKeyChecks.name,
        ] { tell(.leftOut(name, reason)) }
    }

    private func examineApplicationService(_ homeserver: Questioner, isRunning: Bool) async {
        typealias Checks = ApplicationServiceChecks
        let service = configuration.homeserver.applicationService
        guard let path = service.registration else {
            tell(
                .warning(
                    Checks.known, "there is none, so presenced does not learn who shares a room with whom",
                    do: "presenced generate-registration makes one, and says what to do with it."))
            return tell(.leftOut(PresenceOffCheck.name, "needs an application service"))
        }
        guard let registration = try? RegistrationFile.read(path),
            let sender = try? registration.sender(at: server)
        else {
            // Why not is told with the files.
            for name in [Checks.known, PresenceOffCheck.name, Checks.back] {
                tell(.leftOut(name, "the registration cannot be used"))
            }
            return
        }
        let token = registration.ownToken
        let finding = Checks.judgeKnown(
            await homeserver.ask("GET", Checks.whoamiTarget, token: token), sender: sender.text)
        tell(finding)
        tell(Checks.judgeUsers(patterns: registration.userPatterns, bootstrap: service.bootstrap, at: server))
        if let file = service.adminTokenFile, let token = Doctor.firstLine(of: file) {
            tell(Checks.judgeAdmin(await homeserver.ask("GET", Checks.adminTarget, token: token)))
        }
        guard finding.verdict == .ok else {
            for name in [PresenceOffCheck.name, Checks.back] {
                tell(.leftOut(name, "the homeserver does not know the application service"))
            }
            return
        }
        let presence = PresenceOffCheck.judge(
            await homeserver.ask("GET", PresenceOffCheck.target(at: server), token: token))
        tell(configuration.bridge.needsHomeserversPresence ? PresenceOffCheck.turned(presence) : presence)
        guard isRunning else { return tell(.leftOut(Checks.back, "presenced does not run")) }
        let ping = await homeserver.ask(
            "POST", Checks.pingTarget(registration.id), token: token, json: #"{"transaction_id":"doctor"}"#)
        tell(Checks.judgeBack(ping, url: registration.url, listen: service.listen))
    }

    // MARK: Keys and other servers

    private var ownKey: SigningKeyChecks.OwnKey? {
        let path = configuration.signingKeyPath
        guard let keys = try? OwnKeys(path: path, signingWith: configuration.federation.signingKeyID) else {
            return nil
        }
        return SigningKeyChecks.OwnKey(id: keys.signingKeyID, publicKey: keys.signingPublicKey, path: path)
    }

    private func examineSigningKey(_ homeserver: Questioner) async {
        guard configuration.federation.enabled else {
            return tell(.leftOut(SigningKeyChecks.name, "federation.enabled is false"))
        }
        guard let own = ownKey else { return tell(.leftOut(SigningKeyChecks.name, "no key in federation.signing_key")) }
        tell(
            SigningKeyChecks.judge(
                await homeserver.ask("GET", SigningKeyChecks.target), as: SigningKeyChecks.name,
                at: homeserver.origin.text, own: own, server: server, now: Doctor.now))
    }

    private func examineFederation(isRunning: Bool) async {
        let names = [SigningKeyChecks.publicName, ProxyChecks.federation]
        func leaveOut(_ reason: String) { for name in names { tell(.leftOut(name, reason)) } }
        guard configuration.federation.enabled else { return leaveOut("federation.enabled is false") }
        let silent = Logger(label: "doctor") { _ in SwiftLogNoOpLogHandler() }
        let clock = AnchoredClock(wallMilliseconds: PresenceServer.wallMilliseconds())
        var settings = configuration
        // Only our own name is asked for, which may well lead to a private address from here.
        settings.federation.allowedNetworks = ["0.0.0.0/0", "::/0"].compactMap { AddressRange(parsing: $0) }
        guard let transport = try? FederationParts.transport(settings, clock: clock, logger: silent) else {
            return leaveOut("federation.ca_file or federation.dns_servers cannot be used")
        }
        if let own = ownKey {
            let keys = await Doctor.document(SigningKeyChecks.target, at: server, transport)
            tell(
                SigningKeyChecks.judge(
                    keys, as: SigningKeyChecks.publicName, at: server.text, own: own, server: server, now: Doctor.now))
        } else {
            tell(.leftOut(SigningKeyChecks.publicName, "no key in federation.signing_key"))
        }
        if isRunning {
            tell(
                ProxyChecks.judgeFederation(
                    await Doctor.document(ProxyChecks.federationTarget, at: server, transport), server: server))
        } else {
            tell(.leftOut(ProxyChecks.federation, "presenced does not run"))
        }
        try? await transport.shutdown()
    }

    private static func document(
        _ target: String, at server: ServerName, _ transport: FederationTransport
    ) async -> Sighting {
        do throws(FederationError) {
            let answer = try await transport.document(target, at: server, limitBytes: Questioner.answerLimitBytes)
            return .answered(
                Sighting.Reply(
                    status: answer.status, document: (try? JSONParser.lenient.parse(answer.body))?.value ?? .null))
        } catch {
            return .silent(error.message)
        }
    }

    // MARK: The reverse proxy

    private func examineProxy(isRunning: Bool) async {
        guard let publicURL else {
            return tell(.leftOut(ProxyChecks.name, "name the address that clients use, with --public-url"))
        }
        guard isRunning else {
            return tell(.leftOut(ProxyChecks.name, "presenced does not run: all should go to the homeserver meanwhile"))
        }
        let authorities = configuration.federation.caFile ?? configuration.homeserver.caFile
        guard let questioner = try? Questioner(publicURL, authorities: authorities) else {
            return tell(.leftOut(ProxyChecks.name, "federation.ca_file cannot be used"))
        }
        for path in ProxyChecks.paths(at: server) {
            let sighting = await questioner.ask(path.method, path.target, json: path.method == "GET" ? nil : "{}")
            tell(ProxyChecks.judge(sighting, of: path, server: server))
            if case .silent = sighting {
                tell(.leftOut(ProxyChecks.name, "the other paths, since \(publicURL.text) does not answer"))
                break
            }
        }
        await questioner.close()
    }

    // MARK: Means

    private static var now: Instant { Instant(millisecondsSinceEpoch: PresenceServer.wallMilliseconds()) }

    private func questioner(at address: NetworkAddress) -> Questioner? {
        (try? HomeserverOrigin(parsing: "http://\(AdminClient.reachable(address))")).flatMap { try? Questioner($0) }
    }

    private func asking(
        _ questioner: Questioner, _ question: (Questioner) async -> Sighting
    ) async -> Sighting {
        let sighting = await question(questioner)
        await questioner.close()
        return sighting
    }

    private static func firstLine(of path: String) -> String? {
        let text = FileManager.default.contents(atPath: path).map { String(decoding: $0.prefix(4096), as: UTF8.self) }
        return text?.split(whereSeparator: \.isWhitespace).first.map(String.init)
    }
}
