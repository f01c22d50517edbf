import PresenceModel

// Devices of which others know, their texts, and what is told of local users. Decision 31.
extension PresenceEngine {
    mutating func show(
        _ key: DeviceKey, as showing: DeviceShowing, at now: Instant, into effects: inout [Effect]
    ) {
        let number = internLocal(key.user)
        let lease = touchLease(number, key.device, showing.use == .idle ? .seen : .active, at: now, into: &effects)
        switch showing.use {
        case .inUse: users[number].devices[lease].idleness = .heldActive
        case .usedNow: users[number].devices[lease].idleness = .none
        case .idle: users[number].devices[lease].idleness = .byReport
        }
        users[number].devices[lease].isHeld = true
        if users[number].devices[lease].type != showing.type {
            users[number].devices[lease].type = showing.type
            users[number].isStale = true
        }
        setText(showing.text, of: key.device, number)
        endLoss(of: number)
        refresh(number, at: now, into: &effects)
        updateInterest(of: number, into: &effects)
    }

    mutating func lose(_ key: DeviceKey, at now: Instant, into effects: inout [Effect]) {
        let number = internLocal(key.user)
        users[number].isKnown = true
        removeLease(of: key.device, number, at: now)
        endStreams(of: key.device, number, into: &effects)
        if users[number].loss == .none { users[number].loss = .noted }
        if losses[number]?.device != key.device { losses[number] = DeviceLoss(device: key.device, since: now) }
        losses[number]?.isOver = false
        users[number].isStale = true
        refresh(number, at: now, into: &effects)
        updateInterest(of: number, into: &effects)
    }

    /// It is known again what became of the device that was lost.
    mutating func endLoss(of number: Int, if device: DeviceID? = nil) {
        guard users[number].loss != .none else { return }
        if let device, losses[number]?.device != device { return }
        // That others saw it is found out when they are shown what holds now.
        if users[number].loss == .noted { users[number].loss = .none }
        losses[number] = nil
        users[number].isStale = true
    }

    /// A device came: the loss matters no more once others see the user by devices again.
    mutating func outliveLoss(of number: Int) {
        guard users[number].loss != .none, losses[number] != nil else { return }
        losses[number]?.isOver = true
        users[number].isStale = true
    }

    /// Whether the user is unknown to others, being `state` as far as this server sees itself. Whoever hides, or is
    /// offline by choice, is not; who is unknown already and does so stays unknown, whatever their devices do, since others
    /// must not notice.
    mutating func isLost(_ number: Int, _ state: PublishedState) -> Bool {
        guard users[number].loss != .none, let loss = losses[number] else { return false }
        let isAway = users[number].effective == .hidden || users[number].effective == .offline
        if loss.isOver, users[number].loss != .shown || !isAway {
            losses[number] = nil
            return false
        }
        return state == .offline && (users[number].loss == .shown || !isAway)
    }

    // MARK: Texts of devices

    mutating func setText(_ text: String?, of device: DeviceID, _ number: Int) {
        guard text != nil || !deviceTexts.isEmpty else { return }
        let before = deviceTexts[number] ?? []
        if let last = before.last, last.device == device, last.text == text { return }
        var texts = before.filter { $0.device != device }
        if let text { texts.append(DeviceText(device: device, text: text)) }
        guard texts.count != before.count || text != nil else { return }
        deviceTexts[number] = texts.isEmpty ? nil : texts
        users[number].isStale = true
    }

    /// What others see of a user who is not hidden: the user's own word, or that of the device that said something
    /// last.
    func visibleText(of number: Int) -> String? {
        if let text = effectiveText(of: number) { return text }
        guard !deviceTexts.isEmpty, users[number].effective != .offline else { return nil }
        // Who insists on no text has said so.
        if users[number].isOverridden, case .replaced? = overrides[number]?.text { return nil }
        return deviceTexts[number]?.last?.text
    }

    // MARK: What is told

    /// Tells how a local user is, if that is asked for and differs from what was told.
    /// - Parameter isTextNew: the user's own text may be another than it was.
    mutating func noteView(of number: Int, isTextNew: Bool, into effects: inout [Effect]) {
        let user = users[number]
        guard user.isKnown else { return }
        let mark = PresenceEngine.viewMark(of: user)
        guard mark != user.viewMark || isTextNew else { return }
        // Whoever closed their account is gone until they are seen again, whatever is still tidied up.
        if user.viewMark == PresenceEngine.closedMark, !user.devices.contains(where: { $0.kind != .world }) { return }
        let isHidden = user.effective == .hidden
        let text = isHidden || user.state == .offline ? nil : effectiveText(of: number)
        guard mark != user.viewMark || text != profiles[number].viewedText else { return }
        users[number].viewMark = mark
        profiles[number].viewedText = text
        let basis = user.state == .offline ? .devices : user.basis
        effects.append(
            .localViewed(profiles[number].id, isHidden ? .hidden : .visible(user.state, text: text, by: basis)))
    }

    /// Told also where views are not.
    mutating func close(_ user: UserID, into effects: inout [Effect]) {
        guard let number = number(of: user), users[number].isLocal,
            users[number].viewMark != PresenceEngine.closedMark
        else { return }
        if configuration.tellsLocalViews { users[number].viewMark = PresenceEngine.closedMark }
        effects.append(.localViewed(user, .closed))
    }

    private static let closedMark: UInt8 = 255

    private static func viewMark(of user: UserRecord) -> UInt8 {
        if user.effective == .hidden { return 1 }
        let basis = user.basis.rawValue
        return switch user.state {
        case .offline: 2
        case .unavailable: 4 + basis
        case .online: 8 + basis
        case .busy: 12 + basis
        case .freeForChat: 16 + basis
        }
    }

    /// How every local user of whom anything was told is now, in the order of names.
    public var localViews: [(user: UserID, view: LocalView)] {
        users.indices.filter { users[$0].isLocal && users[$0].viewMark != 0 }
            .map { (profiles[$0].id, view(of: $0)) }.sorted { $0.0 < $1.0 }
    }

    /// How a local user is now; `nil` if nothing was told of them.
    public func localView(of user: UserID) -> LocalView? {
        guard let number = number(of: user), users[number].isLocal, users[number].viewMark != 0 else { return nil }
        return view(of: number)
    }

    private func view(of number: Int) -> LocalView {
        let user = users[number]
        if user.viewMark == PresenceEngine.closedMark { return .closed }
        if user.effective == .hidden { return .hidden }
        guard user.state != .offline else { return .visible(.offline, text: nil, by: .devices) }
        return .visible(user.state, text: effectiveText(of: number), by: user.basis)
    }
}
