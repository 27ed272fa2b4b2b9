namespace OpenMM {
class Force {
public:
    virtual ~Force();
};
}
