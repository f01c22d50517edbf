import BridgeEngine
import PresenceModel
import SocialEngine
import Synchronization

/// The desk of the bridges that run, one or two. Links lead to the external service alone; choices hold for both.
public struct RunningDesk: BridgeDesk {
    /// The bridge to one service.
    public struct Bridge: Sendable {
        let setting: BridgeReport.Setting
        let runtime: BridgeRuntime
        let social: any SocialSide

        /// - Parameter social: the runtime's.
        public init(setting: BridgeReport.Setting, runtime: BridgeRuntime, social: any SocialSide) {
            self.setting = setting
            self.runtime = runtime
            self.social = social
        }
    }

    private let bridges: [Bridge]
    private let book: CredentialBook?
    /// What the operator's file said last.
    private let filed = FiledLinks()
    private let turns = Turns<LinkTable>()

    /// All that is linked is one thing.
    private enum LinkTable: Hashable { case all }

    /// Whom links are for.
    private var linked: Bridge? { bridges.first { $0.setting.service == .external } }
    /// Who is asked where both know.
    private var first: Bridge { linked ?? bridges[0] }

    /// - Parameters:
    ///   - bridges: at least one; of two the one to the external service is asked where both know.
    ///   - book: of the external service, if there is one.
    public init(_ bridges: [Bridge], book: CredentialBook?) {
        precondition(!bridges.isEmpty, "a desk without a bridge")
        self.bridges = bridges
        self.book = book
    }

    /// One for each bridge.
    public func reports() async -> [BridgeReport] {
        var reports: [BridgeReport] = []
        for bridge in bridges {
            let (counts, tally) = await bridge.runtime.read { engine, _ in (engine.counts, engine.tally) }
            reports.append(
                BridgeReport(
                    setting: bridge.setting, counts: counts, tally: tally, social: await bridge.social.report(),
                    credentials: bridge.setting.service == .external ? await book?.counts : nil))
        }
        return reports
    }

    /// To the external service; else those by rule to our own.
    public func links(from first: UserID?, limit: Int) async -> LinkPage {
        await self.first.runtime.read { engine, _ in engine.links(from: first, limit: limit) }
    }

    /// Links and choices as the bridge to the external service has them, if there is one; a session for each.
    public func account(of user: UserID) async -> BridgeAccount {
        var sessions: [BridgeAccount.Session] = []
        for bridge in bridges {
            let view = await view(of: user, at: bridge)
            var failure: String?
            if !view.isOpen, let address = view.link?.address {
                failure = await bridge.social.latestFailure(of: address)
                if failure == nil, view.participates, bridge.setting.service == .external {
                    failure = await book?.lack(of: user, at: address)
                }
            }
            sessions.append(
                BridgeAccount.Session(
                    service: bridge.setting.service, isOpen: view.isOpen, closedSince: view.closedSince,
                    latestFailure: failure))
        }
        return BridgeAccount(
            view: await view(of: user, at: first), sessions: sessions,
            credentials: await book?.handedOver(by: user) ?? [])
    }

    /// One after the other: of two who claim an address at once one is refused.
    public func link(_ link: Link, by source: LinkSource) async throws(BridgeRefusal) {
        try await turns.take(.all) { await tried { () throws(BridgeRefusal) in try await add(link, by: source) } }.get()
    }

    /// A line of the file that had to give way to what is gone holds again.
    public func unlink(_ user: UserID, by sources: [LinkSource]) async throws(BridgeRefusal) {
        try await turns.take(.all) {
            await tried { () throws(BridgeRefusal) in try await remove(user, by: sources) }
        }.get()
    }

    /// To all bridges.
    public func choose(_ choice: BridgeChoice, of user: UserID) async throws(BridgeRefusal) {
        if let privacy = choice.privacy { try await perform(.privacyChosen(user, privacy)) }
        if let participation = choice.participation {
            try await perform(.participationChosen(user, participation.choice))
        }
    }

    /// As the book does.
    public func takes(_ kind: HandedCredential.Kind) -> Bool { book?.form == kind.form }

    /// Into the book, if it takes such.
    public func handOver(_ credential: HandedCredential) async throws(BridgeRefusal) {
        guard let book, takes(credential.kind) else { throw .notTaken(credential.kind) }
        guard let link = await view(of: credential.user, at: first).link else { throw .notLinked }
        guard link.address == credential.address else { throw .otherAddress }
        do {
            try await book.handOver(credential)
        } catch {
            throw .notStored
        }
    }

    /// Out of the book.
    public func takeBackCredentials(of user: UserID) async throws(BridgeRefusal) {
        do {
            try await book?.takeBack(of: user)
        } catch {
            throw .notStored
        }
    }

    /// Makes the links of the operator's file those of the table, in the place of those that it had: a line that is not
    /// there any more takes its link away. What is refused the runtime notes.
    public func take(_ file: [Link]) async {
        guard let linked else { return }
        await turns.take(.all) {
            filed.take(file)
            let wanted = Set(file)
            let before = await linked.runtime.read { engine, _ in engine.links(by: .file) }
            for link in before where !wanted.contains(link) { await linked.runtime.submit(.linkRemoved(link, .file)) }
            let known = Set(before)
            for link in file where !known.contains(link) { await linked.runtime.submit(.linkAdded(link, .file)) }
        }
    }

    // MARK: Means

    private func add(_ link: Link, by source: LinkSource) async throws(BridgeRefusal) {
        guard let linked else { throw .noLinks }
        let before = await ownLink(of: link.user, by: source, at: linked)
        if let refusal = await refusal(of: link, by: source, at: linked) { throw .link(refusal) }
        if let before, before.address != link.address { try await perform(.linkRemoved(before, source), at: [linked]) }
        try await perform(.linkAdded(link, source), at: [linked])
        guard await ownLink(of: link.user, by: source, at: linked) == link else {
            // Something else came in between.
            guard let refusal = await refusal(of: link, by: source, at: linked) else { throw .notStored }
            throw .link(refusal)
        }
    }

    private func refusal(of link: Link, by source: LinkSource, at bridge: Bridge) async -> LinkRefusal? {
        await bridge.runtime.read { engine, _ in engine.refusal(of: link, by: source, replacingOwn: true) }
    }

    private func remove(_ user: UserID, by sources: [LinkSource]) async throws(BridgeRefusal) {
        guard let linked else { return }
        for source in sources {
            guard let link = await ownLink(of: user, by: source, at: linked) else { continue }
            try await perform(.linkRemoved(link, source), at: [linked])
            for filed in filed.links(about: link) { await offer(filed, to: linked) }
        }
    }

    private func offer(_ link: Link, to bridge: Bridge) async {
        let isTaken = await bridge.runtime.read { engine, _ in engine.refusal(of: link, by: .file) == nil }
        if isTaken { await bridge.runtime.submit(.linkAdded(link, .file)) }
    }

    private func perform(_ event: BridgeEngine.Event) async throws(BridgeRefusal) {
        try await perform(event, at: bridges)
    }

    /// On disk by the return.
    private func perform(_ event: BridgeEngine.Event, at bridges: [Bridge]) async throws(BridgeRefusal) {
        var isStored = true
        for bridge in bridges {
            do {
                try await bridge.runtime.perform(event)
            } catch {
                isStored = false
            }
        }
        guard isStored else { throw .notStored }
    }

    private func ownLink(of user: UserID, by source: LinkSource, at bridge: Bridge) async -> Link? {
        let view = await view(of: user, at: bridge)
        return view.sources.contains(source) ? view.link : nil
    }

    private func view(of user: UserID, at bridge: Bridge) async -> MemberView {
        await bridge.runtime.read { engine, _ in engine.view(of: user) }
    }
}

private func tried(_ act: () async throws(BridgeRefusal) -> Void) async -> Result<Void, BridgeRefusal> {
    do throws(BridgeRefusal) {
        try await act()
        return .success(())
    } catch {
        return .failure(error)
    }
}

/// The links of the operator's file, by both of the names in them.
private final class FiledLinks: Sendable {
    private let links = Mutex<(users: [UserID: Link], addresses: [SocialAddress: Link])>(([:], [:]))

    func take(_ file: [Link]) {
        let users = Dictionary(file.map { ($0.user, $0) }, uniquingKeysWith: { first, _ in first })
        let addresses = Dictionary(file.map { ($0.address, $0) }, uniquingKeysWith: { first, _ in first })
        links.withLock { $0 = (users, addresses) }
    }

    /// Those of the user, and of the address.
    func links(about link: Link) -> [Link] {
        links.withLock { links in
            let (first, second) = (links.users[link.user], links.addresses[link.address])
            return first == second ? [first].compactMap(\.self) : [first, second].compactMap(\.self)
        }
    }
}
