import PresenceModel

/// A type that a device reported, kept while its token lives.
struct RememberedType: Sendable {
    let device: DeviceID
    var type: DeviceType
}

// What devices say of themselves. Seed: report per-device idle time, report per-device type.
extension PresenceEngine {
    mutating func take(
        _ report: DeviceReport, of key: DeviceKey, at now: Instant, into effects: inout [Effect]
    ) {
        if let type = report.type { remember(type, of: key, into: &effects) }
        let contact: Contact =
            switch report.idleness {
            case .unchanged: .seen
            case .active: .active
            case .idle(let milliseconds): .reportedIdle(milliseconds: milliseconds)
            }
        touch(key, contact, at: now, into: &effects)
    }

    func type(of device: DeviceID, _ number: Int) -> DeviceType? {
        deviceTypes[number]?.first { $0.device == device }?.type
    }

    /// Kept in the order of the reports: past the bound the one reported longest ago goes.
    private mutating func remember(_ type: DeviceType, of key: DeviceKey, into effects: inout [Effect]) {
        let number = internLocal(key.user)
        let before = self.type(of: key.device, number)
        var types = deviceTypes[number, default: []]
        types.removeAll { $0.device == key.device }
        if types.count >= configuration.devicesPerUser {
            let gone = types.removeFirst()
            effects.append(.save(.deviceTypeRemoved(DeviceKey(user: key.user, device: gone.device))))
            setLeaseType(nil, of: gone.device, number)
        }
        types.append(RememberedType(device: key.device, type: type))
        deviceTypes[number] = types
        setLeaseType(type, of: key.device, number)
        if before != type { effects.append(.save(.deviceType(key, type))) }
    }

    mutating func forgetType(of key: DeviceKey, into effects: inout [Effect]) {
        guard let number = number(of: key.user), deviceTypes[number] != nil,
            let place = deviceTypes[number]?.firstIndex(where: { $0.device == key.device })
        else { return }
        deviceTypes[number]?.remove(at: place)
        if deviceTypes[number]?.isEmpty == true { deviceTypes[number] = nil }
        setLeaseType(nil, of: key.device, number)
        effects.append(.save(.deviceTypeRemoved(key)))
    }

    private mutating func setLeaseType(_ type: DeviceType?, of device: DeviceID, _ number: Int) {
        guard let lease = users[number].devices.firstIndex(where: { $0.device == device }) else { return }
        users[number].devices[lease].type = type
        users[number].isStale = true
    }
}
